"""Who may write into an output folder: the stage that made it, from the input it was made of, and nobody else.

A hidden file marks the folder: its first line names the stage, and ``input: ...`` what the output was made of, as a
path relative to the folder where it is one, so that a project may be moved.
"""

from __future__ import annotations

import errno
import logging
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from editfoundry.data.storage import require_on_disk
from editfoundry.errors import BadInputError

MARKER = ".editfoundry-stage"
_INPUT = "input: "
_NO_PLACE = (
    *(errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENOENT),
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG, errno.ELOOP),
)
"""Errors of a path at which nothing can be made, whatever room there is."""
_log = logging.getLogger(__name__)

REPLACE = "give another folder, or --replace to have them made anew"
"""The way out of most stages where their output was made of another input."""
Fits = Callable[[Path], bool]
"""Tells whether what lies in a folder can be a stage's output."""


@dataclass(frozen=True)
class OutputClaim:
    """What a marker says."""

    stage: str
    made_of: str | None = None
    """The input; None where the stage does not say, or did not when it wrote the marker."""


@contextmanager
def place_for(path: Path) -> Iterator[None]:
    """Raise BadInputError, which names ``path``, where the block ends because nothing can be made there."""
    try:
        yield
    except OSError as error:
        if error.errno not in _NO_PLACE:
            raise
        _require_folder_above(path)
        raise BadInputError(f"{path}: cannot be made ({error.strerror}); give another path") from error


def _require_folder_above(path: Path) -> None:
    above = next(p for p in Path(os.path.abspath(str(path))).parents if os.path.lexists(p))
    if not os.path.isdir(above):
        raise BadInputError(f"{path}: cannot be made: {above} is no folder; give another path")


def require_no_input(file: Path, inputs: Iterable[Path]) -> None:
    """Raise BadInputError where an output file is one of the inputs, by whatever path."""
    if any(file.resolve() == path.resolve() for path in inputs):
        raise BadInputError(f"{file}: is the input too; give another path")


def claim_output(
    folder: Path,
    stage: str,
    made_of: str | None = None,
    *,
    replace: bool = False,
    fits: Fits | None = None,
    way_out: str = REPLACE,
) -> None:
    """Create ``folder`` with a marker that names ``stage``, or accept one that ``stage`` marked before.

    Args:
        folder: the output.
        stage: who writes.
        made_of: the input, as `input_of` names it; a marker without one gets it.
        replace: accept that what is there was made of another input.
        fits: tells whether a folder's content can be the stage's, where the marker is damaged.
        way_out: what to do where it was made of another input, for the message.

    Raises:
        BadInputError: the folder holds something else, something made of another input, is no folder, or cannot be
            made.
    """
    folder = Path(folder)
    require_on_disk(folder)
    check_claim(folder, stage, made_of, replace=replace, fits=fits, way_out=way_out)
    with place_for(folder):
        folder.mkdir(parents=True, exist_ok=True)
        before = _read(folder)
        if made_of is None and before is not None and before.stage == stage:
            made_of = before.made_of
        if before != OutputClaim(stage, made_of):
            _write(folder, OutputClaim(stage, made_of))


def check_claim(
    folder: Path,
    stage: str,
    made_of: str | None = None,
    *,
    replace: bool = False,
    fits: Fits | None = None,
    way_out: str = REPLACE,
) -> None:
    """Raise BadInputError where `claim_output` would; write nothing."""
    with place_for(folder):
        is_there = folder.exists()
    if not is_there:
        _require_folder_above(folder)
        return
    if not folder.is_dir():
        raise BadInputError(f"{folder}: is a file where an output folder should be; give another path")
    with place_for(folder):
        claim = _read(folder)
        is_empty = all(path.name.startswith(MARKER) for path in folder.iterdir())
    if claim is None:
        if not is_empty:
            raise BadInputError(f"{folder}: exists with other content; give an empty or a new folder")
    elif claim.stage != stage:
        _check_damaged(folder, claim, stage, fits)
    elif None not in (claim.made_of, made_of) and claim.made_of != made_of and not replace and _content(folder):
        raise BadInputError(
            f"{folder}: holds {stage} made of {_shown(folder, claim.made_of)}, not of {_shown(folder, made_of)}; "
            f"{way_out}"
        )


def input_of(path: Path, output: Path) -> str:
    """Return the name by which an output's marker remembers its input: the path relative to ``output``, or an address.

    Example: ``../captions`` for ``data/captions`` and ``data/quadruples``.
    """
    text = str(path)
    if text.startswith("s3:/"):
        return text
    return Path(os.path.relpath(path.resolve(), output.resolve())).as_posix()


def _check_damaged(folder: Path, claim: OutputClaim, stage: str, fits: Fits | None) -> None:
    """Let a marker pass that was cut while it was written, where the folder's content is the stage's all the same."""
    if not stage.startswith(claim.stage):
        raise BadInputError(f"{folder}: holds the output of {claim.stage}, not of {stage}; give another folder")
    if not _content(folder) or (fits is not None and fits(folder)):
        _log.warning("%s: its mark (%s) was damaged; it is marked as the output of %s again", folder, MARKER, stage)
        return
    raise BadInputError(
        f"{folder}: its mark {MARKER} is damaged, and its content does not look like {stage}; "
        f"give another folder, or write {stage!r} into that file if it is"
    )


def _content(folder: Path) -> list[Path]:
    """Return what lies in a folder, hidden files left out."""
    return [path for path in folder.iterdir() if not path.name.startswith(".")]


def _read(folder: Path) -> OutputClaim | None:
    """Return what the marker says; None where there is none. A damaged one names no stage, or part of a name."""
    try:
        lines = (folder / MARKER).read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return None
    stage = lines[0].strip("\0 ") if lines else ""
    inputs = [line.removeprefix(_INPUT) for line in lines[1:] if line.startswith(_INPUT)]
    return OutputClaim(stage, inputs[0] if inputs else None)


def _write(folder: Path, claim: OutputClaim) -> None:
    """Write the marker whole or not at all; of two at once, the later one's stays."""
    text = claim.stage + "\n" + (f"{_INPUT}{claim.made_of}\n" if claim.made_of is not None else "")
    partial = folder / f"{MARKER}.{os.getpid()}-{threading.get_ident()}.partial"
    try:
        with partial.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, folder / MARKER)
    finally:
        partial.unlink(missing_ok=True)


def _shown(folder: Path, made_of: str | None) -> str:
    """Return an input as a person would type it."""
    text = str(made_of)
    return os.path.normpath(folder / text) if text.startswith(".") else text
