"""Edits one picture file with one editor."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from editfoundry.data.atomic import atomic_file
from editfoundry.data.images import open_image
from editfoundry.errors import BadInputError
from editfoundry.profiles import load_profile

if TYPE_CHECKING:
    from diffusers import StableDiffusionInstructPix2PixPipeline

_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}


def edit_file(
    image: Path, instruction: str, out: Path, *, editor: str | None, profile: str, device: str, seed: int,
    num_inference_steps: int, guidance_scale: float, image_guidance_scale: float,
) -> str:  # fmt: skip
    """Edit ``image`` as ``instruction`` says and write ``out`` at the picture's own size.

    Args:
        image: any picture that ``open_image`` reads.
        instruction: what to do.
        out: ``.png``, ``.jpg`` or ``.webp``; written in full or not at all.
        editor: diffusers folder; None for the profile's ``editor_base``.
        profile: name or TOML file.
        device: ``auto``, ``cpu``, ``cuda``.
        seed: of the noise.
        num_inference_steps: sampler steps.
        guidance_scale: weight of the instruction.
        image_guidance_scale: weight of the input picture.

    Returns:
        The editor that was used.

    Raises:
        BadInputError: the picture, the instruction, the editor or the output's name cannot be used.
    """
    if not instruction.strip():
        raise BadInputError("the instruction is empty: say what to change")
    if out.suffix.lower() not in _FORMATS:
        raise BadInputError(f"{out}: cannot write {out.suffix or 'a file without a suffix'}: use {', '.join(_FORMATS)}")
    picture = open_image(image)
    pipeline, used = _load(editor, profile, device)
    from editfoundry.editors.instruct_pix2pix import edit_photo

    edited = edit_photo(
        pipeline, picture, instruction, seed=seed, num_inference_steps=num_inference_steps,
        guidance_scale=guidance_scale, image_guidance_scale=image_guidance_scale,
    )  # fmt: skip
    _save(edited, out)
    return used


def _load(editor: str | None, profile: str, device: str) -> tuple[StableDiffusionInstructPix2PixPipeline, str]:
    # A wrong profile is told before torch is imported, which takes seconds.
    chosen = load_profile(profile)
    from editfoundry.pretrained.editor import load_editor, load_editor_base
    from editfoundry.pretrained.runtime import choose_runtime

    if editor is not None:
        return load_editor(editor, choose_runtime(device)), editor
    return load_editor_base(chosen, choose_runtime(device)), str(chosen.model("editor_base"))


def _save(picture: Image.Image, out: Path) -> None:
    try:
        with atomic_file(out) as file:
            picture.save(file, _FORMATS[out.suffix.lower()])
    except (OSError, ValueError) as error:
        raise BadInputError(f"{out}: cannot be written: {' '.join(str(error).split())}") from error
