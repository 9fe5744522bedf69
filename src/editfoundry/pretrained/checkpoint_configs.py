"""A model's folder before it is loaded: configurations that no real model has are refused, not built.

A library builds what ``config.json`` asks for before it looks at the weights: a million layers take minutes and
gigabytes to fail.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from editfoundry.data.untrusted import read_json
from editfoundry.errors import BadInputError

MAX_LAYERS = 512
MAX_SIDE = 2**14
"""Pixels."""
MAX_SIZE = 2**20
"""Channels, dimensions, heads, entries of a vocabulary."""
MAX_POSITIONS = 2**24
"""Tokens."""
_LIMITS = (
    (re.compile(r"layers|depth|blocks"), MAX_LAYERS),
    (re.compile(r"image_size|sample_size|crop_size|edge|height|width"), MAX_SIDE),
    (re.compile(r"position"), MAX_POSITIONS),
    (re.compile(r"channels|_dim|dim_|_size|heads"), MAX_SIZE),
)
"""What a number's name says -> what no model exceeds; the first that fits counts."""
_NAMES = (
    "model_index.json",
    "config.json",
    "scheduler_config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "video_preprocessor_config.json",
)


def check_configs(folder: Path) -> None:
    """Read every configuration of a diffusers or transformers folder and check its numbers.

    Raises:
        BadInputError: a configuration is no JSON object, or asks for more layers or larger ones than a model has.
    """
    for path in (path for name in _NAMES for path in [*sorted(folder.glob(name)), *sorted(folder.glob(f"*/{name}"))]):
        for name, number in _numbers(read_json(path, dict), ""):
            limit = _limit(name)
            if limit is not None and abs(number) > limit:
                raise BadInputError(f"{path}: {name} is {number}, which no model has; at most {limit}")


def _limit(name: str) -> int | None:
    return next((limit for pattern, limit in _LIMITS if pattern.search(name)), None)


def _numbers(value: Any, name: str) -> Iterator[tuple[str, float]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _numbers(inner, key)
    elif isinstance(value, list):
        if _limit(name) == MAX_LAYERS and len(value) > MAX_LAYERS:
            yield name, len(value)
        for inner in value:
            yield from _numbers(inner, name)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield name, value
