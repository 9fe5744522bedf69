"""Edits one picture file with one editor."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from editfoundry.data.atomic import atomic_file
from editfoundry.data.images import open_image
from editfoundry.data.untrusted import check_words
from editfoundry.editors.chosen_editor import (
    ChosenEditor,
    check_seed,
    find_chosen,
    open_chosen,
    shown_name,
    warn_of_foreign_pictures,
)
from editfoundry.editors.masks import open_mask
from editfoundry.editors.output_files import check_picture_outputs, save_picture
from editfoundry.editors.turn_files import remove_older_turns, turn_path
from editfoundry.errors import BadInputError
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
    check_seed(seed)
    if keep_below is not None and not 0 <= keep_below <= 1:
        raise BadInputError(f"--keep-below is {keep_below}, but must be in 0 to 1")
    picture = open_image(image)
    check_picture_outputs([out, *(turn_path(out, number) for number in range(1, len(later) + 1))], image, mask)
    # A wrong profile or editor is told before torch is imported, which takes seconds.
    profile = load_profile(editor.profile)
    source = find_chosen(editor, profile)
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
        check_picture_outputs(
            [out, *_explaining_files(explain, len(later), with_post_edit=with_post_edit)], image, mask
        )
    warn_of_foreign_pictures(source, image, picture)
    opened, runtime = open_chosen(source, editor)
    words = None
    if with_post_edit:
        save_picture(_post_edit(opened, profile, runtime, request, explain), out)
    else:
        words = _edit_turns(opened, request, out, later, keep_below, explain)
    written = [out] if explain is None or words is None else [out, explain / WORDS_FILE]
    remove_older_turns(written, len(later), [image, *([] if mask is None else [mask])])
    return EditedFile(editor=shown_name(source, profile), words=words)


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
        save_picture(edited.require(), out if is_last else turn_path(out, number))
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
    check_seed(seed)
    picture = open_image(image)
    check_picture_outputs([out], image)
    profile = load_profile(editor.profile)
    source = find_chosen(editor, profile)
    from editfoundry.editors.editor import EditRequest
    from editfoundry.editors.guidance_sweep import check_sweep, draw_sweep, sweep_guidance

    check_sweep(source, guidance_scales, image_guidance_scales)
    warn_of_foreign_pictures(source, image, picture)
    opened, _ = open_chosen(source, editor)
    request = EditRequest(image=picture, instruction=instruction, seed=seed, id=str(image))
    save_picture(draw_sweep(sweep_guidance(opened, request, guidance_scales, image_guidance_scales)), out)
    return shown_name(source, profile)


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


def _explaining_files(explain: Path, num_later: int, *, with_post_edit: bool) -> list[Path]:
    """Return the files that are written into ``explain``."""
    if with_post_edit:
        from editfoundry.editors.post_edit.explain import explanation_files

        return explanation_files(explain)
    words_file = explain / WORDS_FILE
    return [words_file, *(turn_path(words_file, number) for number in range(1, num_later + 1))]
