"""Opened pipelines as editors of a benchmark: pictures of any size in, edits of that size out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from PIL import Image

from editfoundry.editors.families.instruct_pix2pix.sampling import edit_images, working_size
from editfoundry.editors.open_editor import Editor as OpenedEditor
from editfoundry.editors.open_editor import edit_photo_with
from editfoundry.editors.working_size import at_working_size

if TYPE_CHECKING:
    from editfoundry.editors.post_edit.models import PostEditModels
    from editfoundry.editors.post_edit.post_edit_config import PostEditConfig


def edit_with_pipeline(
    opened: OpenedEditor,
    settings: Mapping[str, Any],
    images: Sequence[Image.Image],
    instructions: Sequence[str],
    seeds: Sequence[int],
) -> list[Image.Image]:
    """Edit a batch: by our own sampling where it is an InstructPix2Pix, otherwise one by one as diffusers does."""
    if not opened.is_instruct_pix2pix:
        single = zip(images, instructions, seeds, strict=True)
        return [edit_photo_with(opened, image, text, seed=seed, **settings) for image, text, seed in single]

    def edit(places: list[int], resized: list[Image.Image]) -> list[Image.Image]:
        texts, noise = [instructions[place] for place in places], [seeds[place] for place in places]
        return edit_images(opened.pipeline, resized, texts, seeds=noise, **settings)

    return at_working_size(opened.pipeline, images, edit)


def edit_with_post_edit(
    opened: OpenedEditor,
    models: PostEditModels,
    config: PostEditConfig,
    settings: Mapping[str, Any],
    images: Sequence[Image.Image],
    instructions: Sequence[str],
    seeds: Sequence[int],
) -> list[Image.Image]:
    """Edit a batch and keep all but the edited region as it was (EditWorld, section 4.3)."""
    from editfoundry.editors.post_edit.post_edit import post_edit_images, post_edit_photo

    pipeline = opened.pipeline
    if all(image.size == images[0].size == working_size(pipeline, image.size) for image in images):
        made = post_edit_images(pipeline, models, images, instructions, seeds=seeds, config=config, **settings)
        return [edit.image for edit in made]
    single = zip(images, instructions, seeds, strict=True)
    return [
        post_edit_photo(pipeline, models, image, text, seed=seed, config=config, **settings)[0]
        for image, text, seed in single
    ]
