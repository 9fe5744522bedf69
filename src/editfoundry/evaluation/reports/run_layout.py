"""The types of what a run's files hold, checked where the files are read, so that a damaged one is told in a line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from editfoundry.errors import BadInputError

Kind = type | tuple[type, ...]
_NUMBER = (int, float)
_LIST = (list, tuple)
_WORDS: Mapping[Kind, str] = {
    str: "a text",
    int: "a whole number",
    _NUMBER: "a number",
    bool: "true or false",
    _LIST: "a list",
    Mapping: "a mapping",
}
_SHOWN = 60
"""Characters of a wrong value that a message shows."""
_RUN: Mapping[str, Kind] = {
    "benchmark": Mapping,
    "metrics": Mapping,
    "editors": Mapping,
    "items": _LIST,
    "bounds": Mapping,
    "controls": _LIST,
    "made": Mapping,
}
_BENCHMARK: Mapping[str, Kind] = {
    "name": str,
    "title": str,
    "num_items": int,
    "missing": _LIST,
    "extra": _LIST,
    "facts": Mapping,
    "reference": str,
}
_MISSING: Mapping[str, Kind] = {"id": str, "what": str, "reason": str}
_METRIC: Mapping[str, Kind] = {
    "label": str,
    "model": str,
    "preprocessing": str,
    "unit": str,
    "higher_is_better": bool,
    "decimals": int,
    "has_bounds": bool,
    "missing": str,
}
_EDITOR: Mapping[str, Kind] = {
    "description": str,
    "reads": _LIST,
    "seconds_per_edit": _NUMBER,
    "peak_memory_mb": _NUMBER,
    "settings": Mapping,
}
_ITEM: Mapping[str, Kind] = {
    "editor": str,
    "id": str,
    "category": str,
    "group": str,
    "turn": int,
    "branch": str,
    "parts": Mapping,
    "instruction": str,
    "words": Mapping,
    "failure": str,
    "detail": str,
    "asked": str,
    "seed": int,
    "rule": str,
    "nearest": str,
    "error": _NUMBER,
    "scores": Mapping,
    "undefined": Mapping,
}
_SUMMARY: Mapping[str, Kind] = {"benchmark": str, "num_items": int, "editors": _LIST, "metrics": Mapping}
_SECTION: Mapping[str, Kind] = {"overall": Mapping, "num_failed": int}
_INTERVAL: Mapping[str, Kind] = {"value": _NUMBER, "low": _NUMBER, "high": _NUMBER, "n": int, "num_infinite": int}


def check_run(run: object, where: str) -> None:
    """Raise BadInputError, beginning with ``where``, unless a value is laid out as one run of a ``metrics.json``.

    Its items and controls are checked by `check_item`, its scores where they are read.
    """
    data = _checked(run, _RUN, where, needed=("benchmark", "metrics", "editors", "items"))
    benchmark = _checked(data["benchmark"], _BENCHMARK, f"{where}: benchmark", needed=("name",))
    for number, entry in enumerate(benchmark.get("missing") or (), start=1):
        _checked(entry, _MISSING, f"{where}: benchmark: missing {number}", needed=_MISSING)
    _check_texts(benchmark.get("extra") or (), f"{where}: benchmark: extra")
    for name, facts in data["metrics"].items():
        _checked(facts, _METRIC, f"{where}: metric {name}")
    for name, facts in data["editors"].items():
        editor = _checked(facts, _EDITOR, f"{where}: editor {name}")
        _check_texts(editor.get("reads") or (), f"{where}: editor {name}: reads")


def check_item(row: object, where: str) -> Mapping[str, Any]:
    """Return a row of ``metrics.json``; raises BadInputError, beginning with ``where``, for one of another layout."""
    item = _checked(row, _ITEM, where, needed=("editor", "id", "scores"))
    _checked(item.get("words") or {}, {"text": str}, f"{where}: words")
    for name in ("parts", "undefined"):
        said = item.get(name) or {}
        _checked(said, dict.fromkeys(said, str), f"{where}: {name}", needed=said)
    return item


def check_summary(summary: object, where: str) -> Mapping[str, Any]:
    """Return what a ``summary.json`` says of one run; raises BadInputError, beginning with ``where``, if it cannot."""
    data = _checked(summary, _SUMMARY, where, needed=_SUMMARY)
    for name, facts in data["metrics"].items():
        _checked(facts, _METRIC, f"{where}: metric {name}")
    _check_texts(data["editors"], f"{where}: editors")
    for editor in data["editors"]:
        if editor not in data:
            raise BadInputError(f"{where}: says nothing of its editor {editor!r}; write it with editfoundry report")
        section = _checked(data[editor], _SECTION, f"{where}: {editor}", needed=("overall",))
        for metric, interval in section["overall"].items():
            place = f"{where}: {editor}: {metric}"
            told = _checked(interval, _INTERVAL, place, needed=("n",))
            if told.get("value") is not None:
                _checked(told, _INTERVAL, place, needed=("low", "high"))
    return data


def _checked(value: object, kinds: Mapping[str, Kind], where: str, needed: Iterable[str] = ()) -> Mapping[str, Any]:
    """Return a mapping whose fields are of these types where they are there and not null."""
    if not isinstance(value, Mapping):
        raise BadInputError(f"{where}: is {_shown(value)}, not a mapping")
    for name in needed:
        if value.get(name) is None:
            raise BadInputError(f"{where}: lacks {name!r}; write the file with editfoundry evaluate")
    for name, kind in kinds.items():
        found = value.get(name)
        if found is not None and not _is_a(found, kind):
            raise BadInputError(f"{where}: {name!r} is {_shown(found)}, not {_WORDS[kind]}")
    return value


def _is_a(value: object, kind: Kind) -> bool:
    # To Python, true and false are whole numbers.
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


def _check_texts(values: Iterable[object], where: str) -> None:
    for value in values:
        if not isinstance(value, str):
            raise BadInputError(f"{where}: has {_shown(value)}, which is no text")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
