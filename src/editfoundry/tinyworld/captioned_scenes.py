"""Tinyworld's scenes as captioned pictures in WebDataset tars, with the true boxes of what their captions name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from editfoundry.data.captioned_pictures import write_captioned_pictures
from editfoundry.tinyworld.scene import IMAGE_SIZE, object_boxes, render
from editfoundry.tinyworld.scene_prompts import scene_prompts
from editfoundry.tinyworld.scene_sampling import Split, random_stream, sample_scene

PICTURES_PER_TAR = 1_000
WHOLE_CAPTION_SHARE = 0.5
"""Share of captions that tell the whole scene; the others name its things, or one of them."""


def write_captioned_scenes(
    folder: Path, count: int, seed: int = 0, split: Split = "train", side: int = IMAGE_SIZE
) -> int:
    """Write ``count`` captioned pictures of ``side`` pixels; equal arguments give equal files.

    Raises:
        BadInputError: ``folder`` holds something else.
    """
    return write_captioned_pictures(folder, _records(count, seed, split, side), PICTURES_PER_TAR)


def _records(count: int, seed: int, split: Split, side: int) -> Iterator[tuple[Image.Image, str, list[list[float]]]]:
    for number in range(count):
        random = random_stream("captioned", seed, number)
        scene = sample_scene(random, split)
        prompts = scene_prompts(scene, object_boxes(scene, side))
        is_whole = len(prompts) == 1 or random.random() < WHOLE_CAPTION_SHARE
        caption, named = prompts[0 if is_whole else int(random.integers(1, len(prompts)))]
        boxes = [[float(edge) for edge in box] for box in named]
        yield Image.fromarray(render(scene, side)), caption, boxes
