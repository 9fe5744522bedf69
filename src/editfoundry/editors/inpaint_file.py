"""Paints inside the mask of one picture file."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from editfoundry.data.images import laid_on_white, open_layer
from editfoundry.data.untrusted import check_words
from editfoundry.editors.chosen_editor import (
    ChosenEditor,
    check_seed,
    find_chosen,
    open_chosen,
    shown_name,
    warn_of_foreign_pictures,
)
from editfoundry.editors.families.inpainting.family import INPAINTER_NAME, INPAINTING_NAME
from editfoundry.editors.masks import box_mask, check_mask_roles, open_mask, seems_inverted
from editfoundry.editors.output_files import check_picture_outputs, keeps_transparency, save_picture
from editfoundry.errors import BadInputError
from editfoundry.profiles import Profile, load_profile


@dataclass(frozen=True, kw_only=True)
class MaskWords:
    """What to paint over, in words."""

    words: str
    """Such as ``"the cup"``."""
    threshold: float = 0.3
    """How sure the detector must be, in [0, 1]."""


def inpaint_file(
    image: Path,
    mask: Path | str | MaskWords,
    prompt: str,
    out: Path,
    editor: ChosenEditor,
    *,
    seed: int = 0,
    is_inverted: bool = False,
) -> str:
    """Paint ``prompt`` inside the mask of ``image`` and write ``out``; outside it no pixel changes.

    A transparent picture stays so in PNG and WebP: it is painted as if it lay on white, and what is painted is opaque.
    In JPEG it is laid on white.

    A mask that seems to be white where to keep the picture is taken at its word, after a warning on stderr.

    Args:
        image: any picture that ``open_image`` reads.
        mask: a file, see `open_mask`; a box ``x0,y0,x1,y1``, see `box_mask`; or what words name, see `mask_of_words`.
        prompt: what the mask is to show.
        out: ``.png``, ``.jpg`` or ``.webp``; JPEG and WebP change pixels everywhere.
        editor: one that needs a mask; with no name, the profile's ``inpainter``, or else its ``text_to_image`` with
            blended latents.
        seed: of the noise.
        is_inverted: the file is white where to keep the picture.

    Returns:
        The editor that was used.

    Raises:
        BadInputError: picture, mask, prompt, editor, option or output's name cannot be used.
    """
    if not prompt.strip():
        raise BadInputError("the prompt is empty: say what the mask is to show")
    check_words(prompt, "the prompt")
    check_words(mask.words if isinstance(mask, MaskWords) else "", "--what")
    check_seed(seed)
    if isinstance(mask, MaskWords) and not 0 <= mask.threshold <= 1:
        raise BadInputError(f"--threshold is {mask.threshold}, but must be in 0 to 1")
    layer = open_layer(image)
    picture = laid_on_white(layer)
    check_picture_outputs([out], image, mask if isinstance(mask, Path) else None)
    profile = load_profile(editor.profile)
    source = find_chosen(replace(editor, name=editor.name or _own_inpainter(profile)), profile)
    if "mask" not in source.family.needs:
        raise BadInputError(f"{source.name} takes no mask: name an inpainting checkpoint, or leave --editor out")
    hole = _hole(mask, picture, profile, editor.device, is_inverted=is_inverted)
    if isinstance(mask, Path) and seems_inverted(hole):
        share = np.asarray(hole, dtype=float).mean() / 255
        print(
            f"warning: {mask} is white, where to paint, on {share:.0%} of the picture and along its border; if it is "
            "black where to paint, add --invert",
            file=sys.stderr,
        )
    from editfoundry.editors.editor import EditRequest

    request = EditRequest(image=picture, instruction=prompt, seed=seed, id=str(image), mask=hole)
    warn_of_foreign_pictures(source, image, picture)
    opened, _ = open_chosen(source, editor)
    painted = opened.edit([request])[0].require()
    is_transparent = layer.mode == "RGBA" and keeps_transparency(out)
    save_picture(_lifted(painted, layer, hole) if is_transparent else painted, out)
    return shown_name(source, profile)


def _lifted(painted: Image.Image, layer: Image.Image, mask: Image.Image) -> Image.Image:
    """Return RGBA that looks like ``painted`` on white: ``layer`` itself where the mask is black, opaque where white.

    Args:
        painted: RGB, the painting mixed by the mask's grey with ``layer`` on white.
        layer: RGBA.
        mask: 8-bit grey.
    """
    kept, share = np.asarray(layer), np.asarray(mask, dtype=np.float32)[..., None] / 255
    alpha = 1 - (1 - share) * (1 - kept[..., 3:].astype(np.float32) / 255)
    colours = 255 - (255 - np.asarray(painted, dtype=np.float32)) / np.maximum(alpha, 1 / 255)
    lifted = np.concatenate([np.clip(colours, 0, 255), 255 * alpha], axis=-1).round().astype(np.uint8)
    return Image.fromarray(np.where(share > 0, lifted, kept))


def _own_inpainter(profile: Profile) -> str:
    """Return the name of what the profile paints inside masks with."""
    if "inpainter" not in profile.models:
        return INPAINTING_NAME
    reference = profile.model("inpainter")
    # A folder tells by its files which family opens it.
    return reference.source if reference.is_local else INPAINTER_NAME


def _hole(
    mask: Path | str | MaskWords, picture: Image.Image, profile: Profile, device: str, *, is_inverted: bool
) -> Image.Image:
    if isinstance(mask, Path):
        return open_mask(mask, picture, is_inverted=is_inverted)
    if isinstance(mask, str):
        return box_mask(mask, picture)
    check_mask_roles(profile)
    from editfoundry.editors.masks_by_words import load_mask_models, mask_of_words
    from editfoundry.pretrained.runtime import choose_runtime

    detector, segmenter = load_mask_models(profile, choose_runtime(device))
    return mask_of_words(mask.words, picture, detector, segmenter, mask.threshold)
