"""What only the key of a rating sheet tells: which editor made which picture. The sheet itself does not hold it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from editfoundry.data.untrusted import read_json
from editfoundry.errors import BadInputError
from editfoundry.evaluation.json_file import write_json
from editfoundry.evaluation.ratings.rating_questions import TaskKind

FORMAT = "editfoundry-rating-key"


@dataclass(frozen=True, kw_only=True)
class RatingTask:
    """One thing to rate."""

    kind: TaskKind
    editors: tuple[str, ...]
    """One, or the left and the right of a pair, as the report calls them."""
    item: str
    group: str
    category: str = ""
    parts: Mapping[str, str] = field(default_factory=dict)
    prompt: str = ""


@dataclass(frozen=True, kw_only=True)
class RatedEditor:
    """Where an editor's pictures are."""

    run: str
    """Folder of ``editfoundry evaluate``, as it was given."""
    editor: str
    """Its name there."""


@dataclass(frozen=True, kw_only=True)
class RatingKey:
    """Un-blinds a sheet."""

    sheet: str
    """The sheet's own name; answers say which sheet they are of."""
    seed: int
    editors: Mapping[str, RatedEditor]
    tasks: Mapping[str, RatingTask]
    """In the sheet's order."""

    def write(self, path: Path) -> None:
        """Write the key as JSON."""
        write_json(path, {"format": FORMAT, **asdict(self)})


def key_path(sheet: Path) -> Path:
    """Return where the key of a sheet is written: beside it."""
    return sheet.with_name(f"{sheet.stem}.key.json")


def read_key(path: Path) -> RatingKey:
    """Read a key.

    Raises:
        BadInputError: it is missing, no key, or damaged.
    """
    if path.is_dir():
        raise BadInputError(f"{path}: is a folder; give the key in it, which ends in .key.json")
    if not path.is_file():
        raise BadInputError(f"{path}: no such file; editfoundry ratings sheet writes OUT.key.json beside the sheet")
    data: dict[str, Any] = read_json(path, dict)
    if data.get("format") != FORMAT:
        raise BadInputError(f"{path}: no key of a rating sheet; editfoundry ratings sheet writes it beside the sheet")
    try:
        editors = {name: _editor(facts) for name, facts in data["editors"].items()}
        return RatingKey(
            sheet=_text(data["sheet"]),
            seed=int(data["seed"]),
            editors=editors,
            tasks={name: _task(facts, editors) for name, facts in data["tasks"].items()},
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadInputError(f"{path}: damaged key of a rating sheet ({error}); write the sheet again") from error


def _editor(facts: Mapping[str, Any]) -> RatedEditor:
    return RatedEditor(**{name: _text(value) for name, value in facts.items()})


def _task(facts: Mapping[str, Any], editors: Collection[str]) -> RatingTask:
    task = RatingTask(**{**facts, "editors": tuple(map(_text, facts["editors"]))})
    if task.kind not in ("edit", "pair") or len(task.editors) != (1 if task.kind == "edit" else 2):
        raise ValueError(f"a task of kind {task.kind!r} with {len(task.editors)} editors")
    if not all(Path(name).name == name for name in (task.item, *task.editors)):
        raise ValueError(f"{task.item!r} cannot name a file")
    unknown = [name for name in task.editors if name not in editors]
    if unknown:
        raise ValueError(f"a task shows {unknown[0]!r}, which is none of its editors")
    for text in (task.item, task.group, task.category, task.prompt, *task.parts, *task.parts.values()):
        _text(text)
    return task


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} where a word should be")
    return value
