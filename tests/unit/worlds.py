"""Benchmarks for these tests: tinyworld scenes in which one object becomes another, and an encoder without weights."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from function_editors import editor_of
from PIL import Image

from editfoundry.editors.editor import Editor, EditRequest
from editfoundry.tinyworld.colours import COLOURS
from editfoundry.tinyworld.edit_case import EditCase
from editfoundry.tinyworld.objects import KINDS
from editfoundry.tinyworld.scene import render
from editfoundry.tinyworld.scene_sampling import random_stream, sample_scene

CATEGORIES = ("Long-Term", "Physical-Trans", "Story-Type", "change")


def make_cases(count: int, seed: int = 0) -> list[EditCase]:
    """Return cases whose true outcome and three wrong ones are four other kinds in the object's place."""
    return [_case(i, seed) for i in range(count)]


def _case(number: int, seed: int) -> EditCase:
    random = random_stream("evaluation tests", seed, number)
    scene = sample_scene(random, num_objects=1)
    kinds = [k for k in KINDS if k != scene.objects[0].kind]
    others = [kinds[i] for i in random.choice(len(kinds), size=4, replace=False)]
    changed = [
        scene.with_object(0, kind=k, state=next(iter(KINDS[k].states)), colour=KINDS[k].colours[0]) for k in others
    ]
    truth, *wrong = (render(s) for s in changed)
    return EditCase(
        id=f"case-{seed}-{number:03d}",
        category=CATEGORIES[number % len(CATEGORIES)],
        rule=f"into {others[0]}",
        instruction=f"turn it into {changed[0].objects[0].phrase}",
        input_caption=scene.caption,
        output_caption=changed[0].caption,
        input_image=render(scene),
        true_output=truth,
        wrong_outputs=np.stack(wrong),
    )


class ColourEncoder:
    """A joint embedding of a real kind: an image's share of each named colour, a text's counts of their names."""

    name = "colour histogram"

    def encode_images(self, images: Sequence[Image.Image]) -> torch.Tensor:
        """Return ``(N, D)`` of norm 1."""
        palette = np.array(list(COLOURS.values()), dtype=float)
        rows = []
        for image in images:
            pixels = np.asarray(image.convert("RGB").resize((16, 16)), dtype=float).reshape(-1, 1, 3)
            nearest = np.square(pixels - palette).sum(-1).argmin(1)
            rows.append(np.bincount(nearest, minlength=len(palette)) + 0.01)
        return _unit(np.array(rows))

    def encode_texts(self, texts: Sequence[str]) -> torch.Tensor:
        """Return ``(N, D)`` of norm 1."""
        return _unit(np.array([[t.split().count(c) + 0.1 for c in COLOURS] for t in texts]))


def _unit(rows: np.ndarray) -> torch.Tensor:
    return torch.nn.functional.normalize(torch.tensor(rows, dtype=torch.float32), dim=1)


return_the_input = editor_of(lambda requests: [request.image for request in requests])
"""An editor that does nothing."""


def return_the_truth(cases: Sequence[EditCase], only: Sequence[str] | None = None) -> Editor:
    """Return an editor that knows the answers to the cases ``only`` (ids; default all) and does nothing on others."""
    known = {(c.input_image.tobytes(), c.instruction): c.true_output for c in cases if only is None or c.id in only}

    def edit(requests: Sequence[EditRequest]) -> list[Image.Image]:
        answers = ((known.get((r.image.tobytes(), r.instruction)), r.image) for r in requests)
        return [image if answer is None else Image.fromarray(answer) for answer, image in answers]

    return editor_of(edit)
