"""Small triplets of random pixels, so that nothing compresses to the same bytes by luck."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from editfoundry.data.record import Triplet


def make_triplet(number: int, **fields: object) -> Triplet:
    rng = np.random.default_rng(number)
    pixels = rng.integers(0, 256, (2, 8, 12, 3), dtype=np.uint8)
    mask = Image.fromarray(rng.integers(0, 2, (8, 12), dtype=np.uint8) * 255) if number % 2 else None
    known: dict[str, object] = {
        "instruction": f"melt it, number {number}",
        "input_image": Image.fromarray(pixels[0]),
        "output_image": Image.fromarray(pixels[1]),
        "input_caption": "a red snowman; in winter",
        "output_caption": 'a "puddle" – très bien',
        "keywords": ("snowman", "winter"),
        "category": "Long-Term",
        "task": "local",
        "recipe": "editworld-text",
        "source": f"caption {number}",
        "mask": mask,
        "provenance": {"seed": number, "clip": "tiny@1", "thresholds": {"clip_image": 0.75}},
        "scores": {"clip_input": 0.25, "clip_direction": 0.5},
        "split": "train",
    }
    return Triplet(**{**known, **fields})  # type: ignore[arg-type]


@pytest.fixture
def triplet() -> Callable[..., Triplet]:
    return make_triplet


@pytest.fixture(scope="module", name="make_triplet")
def fixture_of_make_triplet() -> Callable[..., Triplet]:
    return make_triplet


@pytest.fixture
def same() -> Callable[[Triplet, Triplet], bool]:
    return lambda a, b: _values(a) == _values(b)


def _values(triplet: Triplet) -> dict[str, object]:
    return {name: v.tobytes() if isinstance(v, Image.Image) else v for name, v in vars(triplet).items()}
