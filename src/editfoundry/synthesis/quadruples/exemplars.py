"""Prompts, definitions of the categories and exemplars: one TOML file for each kind of language model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from editfoundry.data.record import Quadruple
from editfoundry.errors import BadInputError, Rejection
from editfoundry.synthesis.prompt_files import read_prompt_file
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
    try:
        return _read(path, data)
    except KeyError as error:
        raise BadInputError(f"{path}: {error} is missing") from error
    except (TypeError, ValueError, AttributeError, Rejection) as error:
        raise BadInputError(f"{path}: {error}") from error


def _read(path: Path, data: Mapping[str, Any]) -> ExemplarFile:
    categories = [_category(entry) for entry in data["categories"]]
    names = [category.name for category in categories]
    wrong = sorted(set(names) - set(TEXT_CATEGORIES)) or [name for name in names if names.count(name) > 1]
    if wrong:
        raise BadInputError(f"{wrong[0]!r} is named twice or is none of {', '.join(TEXT_CATEGORIES)}")
    return ExemplarFile(
        path=path,
        categories={category.name: category for category in categories},
        prompts={name: _text(data["prompts"][name], name) for name in _PROMPTS},
        **{name: _count(data["defaults"][name], name) for name in _DEFAULTS},
    )


def _category(entry: Mapping[str, Any]) -> Category:
    name = _text(entry["name"], "name")
    exemplars = tuple(_exemplar(fields, name) for fields in entry["exemplars"])
    if not exemplars:
        raise BadInputError(f"category {name!r} has no exemplar")
    refused = tuple(_text(caption, "refused") for caption in entry.get("refused", []))
    return Category(
        name=name, definition=_text(entry["definition"], "definition"), exemplars=exemplars, refused=refused
    )


def _exemplar(fields: Mapping[str, Any], category: str) -> Quadruple:
    keywords: Sequence[str] = [_text(word, "keywords") for word in fields["keywords"]]
    caption = _text(fields["input_caption"], "input_caption")
    check_keywords(caption, keywords)
    return Quadruple(
        input_caption=caption,
        instruction=_text(fields["instruction"], "instruction"),
        output_caption=_text(fields["output_caption"], "output_caption"),
        keywords=tuple(keywords),
        category=category,
        source="exemplar",
    )


def _text(value: object, name: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise BadInputError(f"{name} must be a text, not {value!r}")
    return value.strip()


def _count(value: object, name: str) -> int:
    if type(value) is not int or value < (0 if name == "num_refused" else 1):
        raise BadInputError(f"{name} must be a whole number above 0, not {value!r}")
    return value
