"""Tinyworld's scenes as captioned pictures in WebDataset tars, with the true boxes of what their captions name."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from PIL import Image

from editfoundry.data.atomic import atomic_file
from editfoundry.data.captioned_pictures import tar_name, write_captioned_pictures
from editfoundry.tinyworld.scene import IMAGE_SIZE, object_boxes, render
from editfoundry.tinyworld.scene_prompts import scene_prompts
from editfoundry.tinyworld.scene_sampling import Split, random_stream, sample_scene

PICTURES_PER_TAR = 1_000
DRAWN = "drawn.json"
"""Beside the tars: what was drawn. It is written last."""
WHOLE_CAPTION_SHARE = 0.5
"""Share of captions that tell the whole scene; the others name its things, or one of them."""


def write_captioned_scenes(
    folder: Path,
    count: int,
    seed: int = 0,
    split: Split = "train",
    side: int = IMAGE_SIZE,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Write ``count`` captioned pictures of ``side`` pixels; equal arguments give equal files, and what is there stays.

    Args:
        folder: gets the tars; what others of these arguments made is replaced.
        count: of pictures.
        seed: of the scenes.
        split: ``train``, or the held-out scenes of ``test``.
        side: in pixels.
        progress: called with pictures done and pictures in all.

    Raises:
        BadInputError: ``folder`` holds something else.
    """
    asked = json.dumps({"pictures": count, "seed": seed, "split": split, "side": side})
    if (folder / DRAWN).is_file() and (folder / DRAWN).read_text() == asked and _tar_names(folder) == _wanted(count):
        return count
    records = _records(count, seed, split, side)
    written = write_captioned_pictures(folder, _told(records, count, progress), PICTURES_PER_TAR)
    with atomic_file(folder / DRAWN) as file:
        file.write(asked.encode())
    return written


def _tar_names(folder: Path) -> list[str]:
    return sorted(tar.name for tar in folder.glob("*.tar") if tar.is_file())


def _wanted(count: int) -> list[str]:
    """Return the names of the tars of ``count`` pictures."""
    return [tar_name(number) for number in range(-(-count // PICTURES_PER_TAR))]


def _told(records: Iterator[Any], count: int, progress: Callable[[int, int], None] | None) -> Iterator[Any]:
    for done, record in enumerate(records, 1):
        yield record
        if progress is not None:
            progress(done, count)


def _records(count: int, seed: int, split: Split, side: int) -> Iterator[tuple[Image.Image, str, list[list[float]]]]:
    for number in range(count):
        random = random_stream("captioned", seed, number)
        scene = sample_scene(random, split)
        prompts = scene_prompts(scene, object_boxes(scene, side))
        is_whole = len(prompts) == 1 or random.random() < WHOLE_CAPTION_SHARE
        caption, named = prompts[0 if is_whole else int(random.integers(1, len(prompts)))]
        boxes = [[float(edge) for edge in box] for box in named]
        yield Image.fromarray(render(scene, side)), caption, boxes
