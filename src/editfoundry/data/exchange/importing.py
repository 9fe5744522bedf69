"""From entries of another project's data set to shards, with every dropped entry recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain, count, islice
from pathlib import Path
from typing import Any

from editfoundry.data.atomic import atomic_folder
from editfoundry.data.edit_tasks import check_task
from editfoundry.data.nothing_kept import require_something_kept
from editfoundry.data.record import Triplet
from editfoundry.data.rejections import RejectedRow
from editfoundry.data.shards import write_triplets
from editfoundry.data.stage_result import StageResult, add_up
from editfoundry.data.untrusted import parse_json, read_json
from editfoundry.errors import BadInputError, Rejection

__all__ = ["OWN_KEY", "Entry", "import_entries", "known_task", "own_fields", "parse_json", "read_json", "text"]

TRIPLETS_PER_SHARD = 1000
OWN_KEY = "editfoundry"
"""Under this key an export keeps the fields that the other project's format has no place for."""


@dataclass(frozen=True)
class Entry:
    """One pair of a data set, not read yet."""

    place: str
    """Where it stands, so that a person finds it: file and row, or folder and seed."""
    row: Mapping[str, Any]
    """Its fields as found, without images."""
    load: Callable[[], Triplet]
    """Reads and checks it; raises Rejection."""


def import_entries(entries: Iterable[Entry], source: Path, output: Path, stage: str) -> StageResult:
    """Write entries into shards ``00000.tar``, ``00001.tar``... of ``output``, which appears when all are written.

    Of pairs without both captions nobody can tell later whether input and output were swapped: a caption's direction
    cannot be compared with the picture's. The result's totals count them as ``order_not_checkable``.

    Raises:
        BadInputError: there is no entry, none can be used, or ``output`` holds something else.
    """
    iterator = iter(entries)
    results: list[StageResult] = []
    dropped: list[RejectedRow] = []
    num_without_captions = 0

    def counted(triplets: Iterable[Triplet]) -> Iterator[Triplet]:
        nonlocal num_without_captions
        for triplet in triplets:
            num_without_captions += not (triplet.input_caption.strip() and triplet.output_caption.strip())
            yield triplet

    with atomic_folder(output, stage) as folder:
        for number in count():
            first = next(iterator, None)
            if first is None:
                break
            chunk = islice(chain([first], iterator), TRIPLETS_PER_SHARD)
            rejected: list[RejectedRow] = []
            triplets = counted(_load_all(chunk, rejected))
            results.append(write_triplets(folder / f"{number:05d}.tar", triplets, rejected))
            dropped += rejected[:1]
        if not results:
            raise BadInputError(f"{source}: lists no pair of images; is it the right folder?")
        result = add_up(results)
        require_something_kept(result, source, f"{dropped[0].id}: {dropped[0].detail}" if dropped else "")
    return replace(result, totals={"order_not_checkable": num_without_captions} if num_without_captions else {})


def own_fields(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that our own export kept in an entry, checked; empty for an entry from elsewhere.

    Raises:
        Rejection: ``unreadable fields``.
    """
    kept = row.get(OWN_KEY)
    try:
        kept = parse_json(kept) if isinstance(kept, str) else kept
    except ValueError as error:
        raise Rejection("unreadable fields", f"{OWN_KEY}: {error}") from error
    if kept is None:
        return {}
    expected = {"provenance": dict, "scores": dict, "keywords": list}
    if not isinstance(kept, dict) or not all(isinstance(kept.get(k, t()), t) for k, t in expected.items()):
        raise Rejection("unreadable fields", f"{OWN_KEY} is not as an export of ours writes it")
    if not all(isinstance(score, (int, float)) for score in kept.get("scores", {}).values()):
        raise Rejection("unreadable fields", "a score is not a number")
    return {**kept, "task": known_task(kept.get("task"))}


def known_task(name: object) -> str:
    """Return the name of one of Emu Edit's tasks, or an empty one where an entry names none.

    Raises:
        Rejection: ``unknown task``.
    """
    try:
        return check_task(name.strip().lower() if isinstance(name, str) else "" if name is None else repr(name))
    except BadInputError as error:
        raise Rejection("unknown task", str(error)) from error


def text(row: Mapping[str, Any], *names: str) -> str:
    """Return the first of the named fields that is a non-empty string, or an empty one."""
    return next((row[name] for name in names if isinstance(row.get(name), str) and row[name]), "")


def _load_all(entries: Iterable[Entry], rejected: list[RejectedRow]) -> Iterator[Triplet]:
    for entry in entries:
        try:
            yield entry.load()
        except Rejection as rejection:
            rejected.append(RejectedRow(entry.place, rejection.reason, rejection.detail, entry.row))
