"""Samples edits from an MGIE editor: InstructPix2Pix's sampling, by a condition that the language model imagined."""

from __future__ import annotations

from collections.abc import Sequence

from editfoundry.editors.editor import EditRequest, WordedEdit
from editfoundry.editors.families.instruct_pix2pix.family import InstructPix2PixOptions, sampling_of
from editfoundry.editors.families.instruct_pix2pix.sampling import edit_images
from editfoundry.editors.families.mgie.model import MgieModel


def edit_with_words(
    model: MgieModel, options: InstructPix2PixOptions, requests: Sequence[EditRequest]
) -> list[WordedEdit]:
    """Edit equally large pictures; each edit comes with the expressive instruction that it was made by."""
    images, instructions = [r.image for r in requests], [r.instruction for r in requests]
    imagined = model.imagine(images, instructions)
    edited = edit_images(
        model.pipeline,
        images,
        instructions,
        prompt_embeds=imagined.prompt_embeds.to(model.pipeline.unet.dtype),
        negative_prompt_embeds=imagined.null_embeds.to(model.pipeline.unet.dtype),
        **sampling_of(requests, options),
    )
    return [WordedEdit(*pair) for pair in zip(edited, imagined.words, strict=True)]
