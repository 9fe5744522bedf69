"""Where the files of a session's earlier turns lie: beside the last turn's, with the turn's number in their names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path


def turn_path(out: Path, number: int) -> Path:
    """Return where the picture of an earlier turn, counted from 1, is written."""
    return out.with_name(f"{out.stem}.turn{number}{out.suffix}")


def remove_older_turns(written: Sequence[Path], num_earlier: int, inputs: Sequence[Path]) -> None:
    """Remove the turns of a longer session before this one beside each file of the last turn that was ``written``.

    None is removed where one of them is an input: then this edit goes on from that session.
    """
    own = {turn_path(file, number) for file in written for number in range(1, num_earlier + 1)}
    older = [path for file in written for path in _turns_beside(file) if path not in own]
    if not {path.resolve() for path in older} & {path.resolve() for path in inputs}:
        for path in older:
            path.unlink(missing_ok=True)


def _turns_beside(out: Path) -> list[Path]:
    """Return the files beside ``out`` that are named as its earlier turns are."""
    told = re.compile(re.escape(f"{out.stem}.turn") + "[1-9][0-9]*" + re.escape(out.suffix))
    return [path for path in sorted(out.parent.iterdir()) if told.fullmatch(path.name) and path.is_file()]
