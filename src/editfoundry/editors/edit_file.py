"""Edits one picture file with one editor."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from editfoundry.data.atomic import atomic_file
from editfoundry.data.images import open_image
from editfoundry.errors import BadInputError
from editfoundry.profiles import Profile, load_profile

if TYPE_CHECKING:
    from editfoundry.editors.open_editor import Editor
    from editfoundry.pretrained.runtime import Runtime

_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}


def edit_file(
    image: Path, instruction: str, out: Path, *, editor: str | None, profile: str, device: str, seed: int,
    post_edit: bool = False, explain: Path | None = None, **options: Any,
) -> str:  # fmt: skip
    """Edit ``image`` as ``instruction`` says and write ``out`` at the picture's own size.

    Args:
        image: any picture that ``open_image`` reads.
        instruction: what to do.
        out: ``.png``, ``.jpg`` or ``.webp``; written in full or not at all.
        editor: see `open_editor`; None for the profile's ``editor_base``.
        profile: name or TOML file.
        device: ``auto``, ``cpu``, ``cuda``.
        seed: of the noise.
        post_edit: change only the region that the instruction is about, with the profile's models.
        explain: folder that gets every step of the post-edit as a picture; implies ``post_edit``.
        options: of the editor, such as ``num_inference_steps`` and ``guidance_scale``; None for its own defaults.

    Returns:
        The editor that was used.

    Raises:
        BadInputError: the picture, the instruction, the editor, an option or the output's name cannot be used.
    """
    _check_output(out)
    if not instruction.strip():
        raise BadInputError("the instruction is empty: say what to change")
    picture = open_image(image)
    # A wrong profile is told before torch is imported, which takes seconds.
    chosen = load_profile(profile)
    from editfoundry.editors.open_editor import edit_photo_with
    from editfoundry.pretrained.runtime import choose_runtime

    runtime = choose_runtime(device)
    opened = _open(editor, chosen, runtime)
    if post_edit or explain is not None:
        edited = _post_edit(opened, chosen, runtime, picture, instruction, seed, explain, options)
    else:
        edited = edit_photo_with(opened, picture, instruction, seed=seed, **options)
    _save(edited, out)
    return opened.name


def sweep_file(
    image: Path, instruction: str, out: Path, *, editor: str | None, profile: str, device: str, seed: int,
    guidance_scales: list[float], image_guidance_scales: list[float], num_inference_steps: int,
) -> str:  # fmt: skip
    """Edit ``image`` at every pair of guidance scales and write the sheet; see `edit_file` and `sweep_guidance`.

    Raises:
        BadInputError: as `edit_file`, or the editor is not an InstructPix2Pix.
    """
    _check_output(out)
    picture, chosen = open_image(image), load_profile(profile)
    from editfoundry.editors.families.instruct_pix2pix.sampling import working_size
    from editfoundry.editors.guidance_sweep import draw_sweep, sweep_guidance
    from editfoundry.pretrained.runtime import choose_runtime

    opened = _open(editor, chosen, choose_runtime(device))
    _require_instruct_pix2pix(opened, "a sweep has two guidance scales")
    working = picture.convert("RGB").resize(working_size(opened.pipeline, picture.size), Image.Resampling.LANCZOS)
    sweep = sweep_guidance(
        opened.pipeline, working, instruction, guidance_scales, image_guidance_scales, seed=seed,
        num_inference_steps=num_inference_steps,
    )  # fmt: skip
    _save(draw_sweep(sweep), out)
    return opened.name


def _open(editor: str | None, profile: Profile, runtime: Runtime) -> Editor:
    from editfoundry.editors.open_editor import Editor, open_editor
    from editfoundry.pretrained.editor import load_editor_base

    if editor is not None:
        return open_editor(editor, runtime)
    return Editor(str(profile.model("editor_base")), load_editor_base(profile, runtime))


def _post_edit(
    opened: Editor, profile: Profile, runtime: Runtime, picture: Image.Image, instruction: str, seed: int,
    explain: Path | None, options: dict[str, Any],
) -> Image.Image:  # fmt: skip
    from editfoundry.editors.post_edit.explain import write_explanation
    from editfoundry.editors.post_edit.models import load_post_edit_models
    from editfoundry.editors.post_edit.post_edit import post_edit_photo
    from editfoundry.editors.post_edit.post_edit_config import PostEditConfig

    _require_instruct_pix2pix(opened, "the post-edit collects attention")
    given = {name: value for name, value in options.items() if value is not None}
    config, models = PostEditConfig.of_profile(profile), load_post_edit_models(profile, runtime)
    edited, made = post_edit_photo(opened.pipeline, models, picture, instruction, seed=seed, config=config, **given)
    if explain is not None:
        write_explanation(explain, made)
    return edited


def _require_instruct_pix2pix(opened: Editor, why: str) -> None:
    if not opened.is_instruct_pix2pix:
        kind = type(opened.pipeline).__name__
        raise BadInputError(f"{opened.name}: {why}, which takes an InstructPix2Pix editor, and this is a {kind}")


def _check_output(out: Path) -> None:
    if out.suffix.lower() not in _FORMATS:
        raise BadInputError(f"{out}: cannot write {out.suffix or 'a file without a suffix'}: use {', '.join(_FORMATS)}")


def _save(picture: Image.Image, out: Path) -> None:
    try:
        with atomic_file(out) as file:
            picture.save(file, _FORMATS[out.suffix.lower()])
    except (OSError, ValueError) as error:
        raise BadInputError(f"{out}: cannot be written: {' '.join(str(error).split())}") from error
