"""Edits one picture file with one editor."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from editfoundry.data.atomic import atomic_file
from editfoundry.data.images import laid_on_white, open_image, open_layer
from editfoundry.data.untrusted import check_words
from editfoundry.diffusion.seeds import SEEDS
from editfoundry.editors.families.inpainting.family import INPAINTER_NAME, INPAINTING_NAME
from editfoundry.editors.masks import box_mask, check_mask_roles, open_mask, seems_inverted
from editfoundry.editors.output_files import check_outputs
from editfoundry.editors.turn_files import remove_older_turns, turn_path
from editfoundry.errors import BadInputError, one_line
from editfoundry.profiles import Profile, load_profile

if TYPE_CHECKING:
    from editfoundry.editors.editor import Editor, EditRequest, EditWords
    from editfoundry.editors.editor_family import EditorSource
    from editfoundry.pretrained.runtime import Runtime

WORDS_FILE = "words.json"
"""In the folder of ``explain``: the instruction and what the editor said of it."""
_UNREAD = {
    "mask": "knows no masks: leave --mask out, or name an editor that needs one",
    "input_caption": "does not read what a picture shows: leave --input-caption out, or name an editor that does",
    "output_caption": "edits by no caption: leave --output-caption out, or name an editor that does",
    "task": "knows no tasks: leave --task out, or name an emu_edit editor",
}
"""Part of an edit -> what is told where an editor does not look at it."""
_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
_WITH_TRANSPARENCY = ("PNG", "WEBP")


@dataclass(frozen=True, kw_only=True)
class ChosenEditor:
    """Which editor, where, and how it samples."""

    name: str | None = None
    """See `find_editor`; None for the profile's ``editor_base``."""
    profile: str = "embedded"
    """Name or TOML file."""
    device: str = "auto"
    """``auto``, ``cpu``, ``cuda``."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Such as ``num_inference_steps`` and ``guidance_scale``; those that are None keep the editor's defaults."""


@dataclass(frozen=True, kw_only=True)
class MaskWords:
    """What to paint over, in words."""

    words: str
    """Such as ``"the cup"``."""
    threshold: float = 0.3
    """How sure the detector must be, in [0, 1]."""


@dataclass(frozen=True, kw_only=True)
class EditedFile:
    """What came of an edit, beside the picture."""

    editor: str
    """The one that was used."""
    words: EditWords | None = None
    """What it said of the edit, where it says anything."""


def edit_file(
    image: Path,
    instruction: str,
    out: Path,
    editor: ChosenEditor,
    *,
    seed: int = 0,
    mask: Path | None = None,
    input_caption: str | None = None,
    output_caption: str | None = None,
    task: str | None = None,
    post_edit: bool = False,
    explain: Path | None = None,
    later: Sequence[str] = (),
    keep_below: float | None = None,
) -> EditedFile:
    """Edit ``image`` as ``instruction`` says and write ``out`` at the picture's own size.

    An editor that was made for other pictures than this one edits it all the same, after a warning on stderr.

    Args:
        image: any picture that ``open_image`` reads.
        instruction: what to do.
        out: ``.png``, ``.jpg`` or ``.webp``; written in full or not at all.
        editor: what edits.
        seed: of the noise.
        mask: picture of the same size, white where to edit, for editors that need one.
        input_caption: what the picture shows, for editors that read it.
        output_caption: what the edit must show, for editors that read it.
        task: of the edit, for editors that know tasks: one of Emu Edit's, or the path of a learnt one.
        post_edit: change only the region that the instruction is about, with the profile's models; not with ``later``
            or ``keep_below``.
        explain: folder that gets every step of the post-edit as a picture, and implies ``post_edit``; of an editor
            that explains itself, it gets the words instead; those of turns before the last as ``words.turn1.json``...
        later: instructions of further turns, each of which edits what the turn before it made; the turns before the
            last are written beside ``out`` as ``NAME.turn1.png``, ``NAME.turn2.png``... once all turns are made, and
            those of an earlier, longer session are removed there.
        keep_below: keep the pixels of a turn's input where it changed less than this, see `kept_where_alike`; by
            default none of a single edit's, and the paper's 0.03 where there are ``later`` turns.

    Returns:
        The editor that was used, and its words.

    Raises:
        BadInputError: the picture, the instruction, the editor, an option or the output's name cannot be used, or the
            editor needs a caption or a mask that was not given.
    """
    _check_instruction(instruction)
    for turn in later:
        check_words(turn, "--then")
    check_words(input_caption or "", "--input-caption")
    check_words(output_caption or "", "--output-caption")
    _check_seed(seed)
    if keep_below is not None and not 0 <= keep_below <= 1:
        raise BadInputError(f"--keep-below is {keep_below}, but must be in 0 to 1")
    picture = open_image(image)
    _check_outputs([out, *(turn_path(out, number) for number in range(1, len(later) + 1))], image, mask)
    # A wrong profile or editor is told before torch is imported, which takes seconds.
    profile = load_profile(editor.profile)
    source = _find(editor, profile)
    from editfoundry.editors.editor import EditRequest

    request = EditRequest(
        image=picture,
        instruction=instruction,
        seed=seed,
        id=str(image),
        mask=None if mask is None else open_mask(mask, picture),
        input_caption=input_caption,
        output_caption=output_caption,
        task=task,
    )
    _check_parts(source, request)
    _check_later(source, later)
    with_post_edit = post_edit or (explain is not None and not source.family.explains_itself)
    if later and with_post_edit:
        raise BadInputError("later turns and the post-edit cannot be combined: leave one of them out")
    if keep_below is not None and with_post_edit:
        raise BadInputError(
            "--keep-below and the post-edit, which keeps pixels of its own, cannot be combined: leave one out"
        )
    if explain is not None:
        _check_outputs([out, *_explaining_files(explain, len(later), with_post_edit=with_post_edit)], image, mask)
    _warn_of_foreign_pictures(source, image, picture)
    opened, runtime = _open(source, editor)
    words = None
    if with_post_edit:
        _save(_post_edit(opened, profile, runtime, request, explain), out)
    else:
        words = _edit_turns(opened, request, out, later, keep_below, explain)
    written = [out] if explain is None or words is None else [out, explain / WORDS_FILE]
    remove_older_turns(written, len(later), [image, *([] if mask is None else [mask])])
    return EditedFile(editor=_shown_name(source, profile), words=words)


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
    _check_seed(seed)
    if isinstance(mask, MaskWords) and not 0 <= mask.threshold <= 1:
        raise BadInputError(f"--threshold is {mask.threshold}, but must be in 0 to 1")
    layer = open_layer(image)
    picture = laid_on_white(layer)
    _check_outputs([out], image, mask if isinstance(mask, Path) else None)
    profile = load_profile(editor.profile)
    source = _find(replace(editor, name=editor.name or _own_inpainter(profile)), profile)
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
    _warn_of_foreign_pictures(source, image, picture)
    opened, _ = _open(source, editor)
    painted = opened.edit([request])[0].require()
    is_transparent = layer.mode == "RGBA" and _FORMATS[out.suffix.lower()] in _WITH_TRANSPARENCY
    _save(_lifted(painted, layer, hole) if is_transparent else painted, out)
    return _shown_name(source, profile)


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


def _edit_turns(
    opened: Editor,
    request: EditRequest,
    out: Path,
    later: Sequence[str],
    keep_below: float | None,
    explain: Path | None,
) -> EditWords | None:
    """Write each turn's picture, the last one's as ``out``, and their words into ``explain``; return the last words.

    Nothing is written before all turns are made, and ``out`` last.
    """
    from editfoundry.editors.multi_turn import KEEP_BELOW, edit_turns

    usual = KEEP_BELOW if later else 0.0
    turns = list(edit_turns(opened, request, later, usual if keep_below is None else keep_below))
    for number, (instruction, edited) in enumerate(zip([request.instruction, *later], turns, strict=True), start=1):
        is_last = number > len(later)
        if explain is not None and edited.words is not None:
            words_file = explain / WORDS_FILE
            _write_words(words_file if is_last else turn_path(words_file, number), instruction, edited.words)
        _save(edited.require(), out if is_last else turn_path(out, number))
    return turns[-1].words


def sweep_file(
    image: Path,
    instruction: str,
    out: Path,
    editor: ChosenEditor,
    *,
    guidance_scales: Sequence[float],
    image_guidance_scales: Sequence[float],
    seed: int = 0,
) -> str:
    """Edit ``image`` at every pair of guidance scales and write the sheet; see `edit_file` and `sweep_guidance`.

    Raises:
        BadInputError: as `edit_file`, or the editor has not both guidance scales, or one of them is not finite.
    """
    _check_instruction(instruction)
    _check_seed(seed)
    picture = open_image(image)
    _check_outputs([out], image)
    profile = load_profile(editor.profile)
    source = _find(editor, profile)
    from editfoundry.editors.editor import EditRequest
    from editfoundry.editors.guidance_sweep import check_sweep, draw_sweep, sweep_guidance

    check_sweep(source, guidance_scales, image_guidance_scales)
    _warn_of_foreign_pictures(source, image, picture)
    opened, _ = _open(source, editor)
    request = EditRequest(image=picture, instruction=instruction, seed=seed, id=str(image))
    _save(draw_sweep(sweep_guidance(opened, request, guidance_scales, image_guidance_scales)), out)
    return _shown_name(source, profile)


def _find(editor: ChosenEditor, profile: Profile) -> EditorSource:
    from editfoundry.editors.open_editor import BASE, find_editor

    source = find_editor(editor.name or BASE, profile)
    source.options(_given(editor))
    return source


def _shown_name(source: EditorSource, profile: Profile) -> str:
    """Return an editor's name as a person is told it; the profile's base is called by its model."""
    return source.name if source.name != "base" or source.folder else str(profile.model("editor_base"))


def _open(source: EditorSource, editor: ChosenEditor) -> tuple[Editor, Runtime]:
    from editfoundry.editors.open_editor import open_source
    from editfoundry.pretrained.runtime import choose_runtime

    runtime = choose_runtime(editor.device)
    return open_source(source, runtime, **_given(editor)), runtime


def _given(editor: ChosenEditor) -> dict[str, Any]:
    return {name: value for name, value in editor.options.items() if value is not None}


def _warn_of_foreign_pictures(source: EditorSource, image: Path, picture: Image.Image) -> None:
    """Say on stderr that the editor was made for other pictures, before it spoils this one."""
    known = source.defaults
    if not known.made_for or (known.side, known.side) == picture.size:
        return
    editor, (width, height) = _shown_name(source, source.own_profile), picture.size
    print(
        f"warning: {image} is {width}x{height}, but the editor {editor} knows nothing but {known.made_for}: what it "
        "makes of a photograph is no edit. For photographs: --profile paper, or --editor FOLDER",
        file=sys.stderr,
    )


def _post_edit(
    opened: Editor, profile: Profile, runtime: Runtime, request: EditRequest, explain: Path | None
) -> Image.Image:
    from editfoundry.editors.post_edit.explain import write_explanation
    from editfoundry.editors.post_edit.post_edit import check_post_edit, post_edit_photo
    from editfoundry.editors.post_edit.post_edit_config import PostEditConfig
    from editfoundry.editors.post_edit.post_edit_models import load_post_edit_models

    check_post_edit(opened)
    config, models = PostEditConfig.of_profile(profile), load_post_edit_models(profile, runtime)
    edited, made = post_edit_photo(opened, models, request, config)
    if explain is not None:
        write_explanation(explain, made)
    return edited


def _write_words(path: Path, instruction: str, words: EditWords) -> None:
    with atomic_file(path) as file:
        file.write(f"{json.dumps({'instruction': instruction, **words.to_dict()}, indent=2)}\n".encode())


def _check_instruction(instruction: str) -> None:
    if not instruction.strip():
        raise BadInputError("the instruction is empty: say what to change")
    check_words(instruction, "the instruction")


def _check_seed(seed: int) -> None:
    if seed not in SEEDS:
        raise BadInputError(f"--seed is {seed}, but must be in {SEEDS.start} to {SEEDS.stop - 1}")


def _check_parts(source: EditorSource, request: EditRequest) -> None:
    """Refuse parts of an edit that the editor would not look at."""
    for part, unread in _UNREAD.items():
        if getattr(request, part) is not None and part not in source.family.reads:
            raise BadInputError(f"{source.name}: {unread}")


def _check_later(source: EditorSource, later: Sequence[str]) -> None:
    """Refuse later turns that the editor cannot make: they have an instruction alone."""
    if later and source.family.needs:
        needed = " and ".join(part.replace("_", " ") for part in source.family.needs)
        raise BadInputError(
            f"{source.name} edits by {needed}, which the first turn alone has: leave --then out, or name an editor "
            "that edits by instructions alone"
        )


def _check_outputs(outputs: Sequence[Path], *inputs: Path | None) -> None:
    """Refuse what cannot be written once the edit is made, or would take an input's place; ``outputs`` begin with the
    edited picture.
    """
    out = outputs[0]
    if out.suffix.lower() not in _FORMATS:
        raise BadInputError(f"{out}: cannot write {out.suffix or 'a file without a suffix'}: use {', '.join(_FORMATS)}")
    check_outputs(outputs, [path for path in inputs if path is not None])


def _explaining_files(explain: Path, num_later: int, *, with_post_edit: bool) -> list[Path]:
    """Return the files that are written into ``explain``."""
    if with_post_edit:
        from editfoundry.editors.post_edit.explain import explanation_files

        return explanation_files(explain)
    words_file = explain / WORDS_FILE
    return [words_file, *(turn_path(words_file, number) for number in range(1, num_later + 1))]


def _save(picture: Image.Image, out: Path) -> None:
    try:
        with atomic_file(out) as file:
            picture.save(file, _FORMATS[out.suffix.lower()])
    except (OSError, ValueError) as error:
        raise BadInputError(f"{out}: cannot be written: {one_line(error)}") from error
