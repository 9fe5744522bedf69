"""Prompts, definitions of the categories and exemplars: one TOML file for each kind of language model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from editfoundry.data.bounds import check_each_once
from editfoundry.data.record import Quadruple
from editfoundry.errors import BadInputError, Rejection
from editfoundry.synthesis.prompt_files import (
    read_prompt_file,
    table_of,
    tables_of,
    text_of,
    texts_of,
)
from editfoundry.synthesis.quadruples.config import TEXT_CATEGORIES
from editfoundry.synthesis.quadruples.keywords import check_keywords

_FOLDER = Path(__file__).parent / "exemplar_files"
_PROMPTS = ("from_caption", "caption", "free", "first_turn", "next_turn", "verify", "quadruple")
_DEFAULTS = ("num_exemplars", "num_refused", "quadruples_per_turn", "num_turns")


@dataclass(frozen=True, kw_only=True)
class Category:
    """What belongs to one category."""

    name: str
    definition: str
    exemplars: tuple[Quadruple, ...]
    refused: tuple[str, ...] = ()
    """Captions to which no instruction of the category applies."""


@dataclass(frozen=True, kw_only=True)
class ExemplarFile:
    """Everything that a prompt is made of but the question."""

    path: Path
    categories: Mapping[str, Category]
    prompts: Mapping[str, str]
    """Templates of ``string.Template``, by name."""
    num_exemplars: int
    """Exemplars a prompt."""
    num_refused: int
    """Captions a prompt that are answered with null."""
    quadruples_per_turn: int
    num_turns: int


def load_exemplars(name_or_path: str) -> ExemplarFile:
    """Read ``world``, ``tinyworld``, or any TOML file of the same layout.

    Raises:
        BadInputError: there is no such file, or it is malformed; the message names the file and the place.
    """
    path, data = read_prompt_file(name_or_path, _FOLDER, "exemplars")
    place = str(path)
    entries = tables_of(data, "categories", place)
    categories = [_category(entry, f"{place}: category {number}") for number, entry in enumerate(entries, start=1)]
    check_each_once(f"{path}: categories", [category.name for category in categories])
    prompts, defaults = table_of(data, "prompts", place), table_of(data, "defaults", place)
    return ExemplarFile(
        path=path,
        categories={category.name: category for category in categories},
        prompts={name: text_of(prompts, name, f"{place}: prompts").strip() for name in _PROMPTS},
        **{name: _count(defaults, name, f"{place}: defaults") for name in _DEFAULTS},
    )


def _category(entry: Mapping[str, Any], place: str) -> Category:
    name = text_of(entry, "name", place).strip()
    if name not in TEXT_CATEGORIES:
        raise BadInputError(f"{place}: name is {name!r}, which is none of {', '.join(TEXT_CATEGORIES)}")
    place = f"{place} ({name})"
    entries = tables_of(entry, "exemplars", place)
    if not entries:
        raise BadInputError(f"{place}: has no exemplar")
    exemplars = [_exemplar(one, name, f"{place}: exemplar {number}") for number, one in enumerate(entries, start=1)]
    refused = texts_of(entry, "refused", place) if "refused" in entry else ()
    return Category(
        name=name,
        definition=text_of(entry, "definition", place).strip(),
        exemplars=tuple(exemplars),
        refused=tuple(caption.strip() for caption in refused),
    )


def _exemplar(fields: Mapping[str, Any], category: str, place: str) -> Quadruple:
    keywords = tuple(word.strip() for word in texts_of(fields, "keywords", place))
    caption, instruction, output = (
        text_of(fields, name, place).strip() for name in ("input_caption", "instruction", "output_caption")
    )
    try:
        check_keywords(caption, keywords)
    except Rejection as error:
        raise BadInputError(f"{place}: {error}") from error
    return Quadruple(
        input_caption=caption,
        instruction=instruction,
        output_caption=output,
        keywords=keywords,
        category=category,
        source="exemplar",
    )


def _count(table: Mapping[str, Any], name: str, place: str) -> int:
    value, lowest = table.get(name), 0 if name == "num_refused" else 1
    if name not in table:
        raise BadInputError(f"{place}: {name!r} is missing")
    if type(value) is not int or value < lowest:
        raise BadInputError(f"{place}: {name} must be a whole number from {lowest}, not {value!r}")
    return value
