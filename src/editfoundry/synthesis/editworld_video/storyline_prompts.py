"""Prompts, definitions and exemplars of the video branch: one TOML file for each kind of language model."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

from editfoundry.data.bounds import check_each_once
from editfoundry.errors import BadInputError
from editfoundry.pretrained.chat import Chat, Message
from editfoundry.synthesis.prompt_files import (
    read_prompt_file,
    table_of,
    tables_of,
    text_of,
    texts_of,
)
from editfoundry.synthesis.quadruples.seeding import random_of

_FOLDER = Path(__file__).parent / "prompt_files"
_PROMPTS = ("describe", "instruct", "storyline")
_ANSWER = ("category", "input_caption", "instruction", "output_caption", "keywords")
_GIVEN = ("description", "caption")
NULL = "null"
"""The answer where nothing happens."""


@dataclass(frozen=True, kw_only=True)
class StorylinePrompts:
    """What the two models are asked."""

    path: Path
    prompts: Mapping[str, str]
    """Templates of ``string.Template``, by name."""
    definitions: Mapping[str, str]
    """Of the categories, by name."""
    exemplars: Sequence[Mapping[str, Any]]
    refused: Sequence[Mapping[str, Any]]
    """Descriptions that are answered with null."""

    @property
    def describe(self) -> str:
        """What the video-language model is asked."""
        return self.prompts["describe"]

    def instruct(self, description: str, caption: str, num_exemplars: int, key: tuple[object, ...]) -> Chat:
        """Ask for the instruction; which exemplars are shown, in which order, depends on ``key``."""
        lines = [f"* {name}: {definition}" for name, definition in self.definitions.items()]
        system = Template(self.prompts["instruct"]).safe_substitute(definitions="\n".join(lines))
        random = random_of("storyline exemplars", *key)
        chosen = [self.exemplars[i] for i in random.permutation(len(self.exemplars))[:num_exemplars]]
        turns = [(e, json.dumps({name: e[name] for name in _ANSWER}, ensure_ascii=False)) for e in chosen]
        turns += [(refused, NULL) for refused in self.refused[:1]]
        chat = [Message("system", system)]
        for number in random.permutation(len(turns)):
            given, answer = turns[number]
            chat += [self._question(given["description"], given["caption"]), Message("assistant", answer)]
        return (*chat, self._question(description, caption))

    def _question(self, description: str, caption: str) -> Message:
        text = Template(self.prompts["storyline"]).safe_substitute(description=description, caption=caption or "none")
        return Message("user", text)


def load_storyline_prompts(name_or_path: str) -> StorylinePrompts:
    """Read ``world`` or any TOML file of the same layout.

    Raises:
        BadInputError: there is no such file, or it is malformed; the message names the file and the place.
    """
    path, values = read_prompt_file(name_or_path, _FOLDER, "storyline prompts")
    place = str(path)
    prompts = table_of(values, "prompts", place)
    texts = {name: text_of(prompts, name, f"{place}: prompts").strip() for name in _PROMPTS}
    categories = [
        (
            text_of(entry, "name", f"{place}: category {number}"),
            text_of(entry, "definition", f"{place}: category {number}"),
        )
        for number, entry in _numbered(values, "categories", place)
    ]
    if not categories:
        raise BadInputError(f"{path}: has no category; each is a table [[categories]] with a name and a definition")
    check_each_once(f"{path}: categories", [name for name, _ in categories])
    definitions = dict(categories)
    return StorylinePrompts(
        path=path,
        prompts=texts,
        definitions=definitions,
        exemplars=[
            _exemplar(entry, definitions, f"{place}: exemplar {number}")
            for number, entry in _numbered(values, "exemplars", place)
        ],
        refused=[_given(entry, f"{place}: refused {number}") for number, entry in _numbered(values, "refused", place)],
    )


def _numbered(values: Mapping[str, Any], key: str, place: str) -> list[tuple[int, dict[str, Any]]]:
    return list(enumerate(tables_of(values, key, place), start=1)) if key in values else []


def _given(entry: Mapping[str, Any], place: str) -> dict[str, Any]:
    return {name: text_of(entry, name, place, may_be_empty=name == "caption") for name in _GIVEN}


def _exemplar(entry: Mapping[str, Any], definitions: Mapping[str, str], place: str) -> dict[str, Any]:
    answer = {name: text_of(entry, name, place) for name in _ANSWER if name != "keywords"}
    if answer["category"] not in definitions:
        raise BadInputError(f"{place}: category is {answer['category']!r}, which none of [[categories]] is called")
    return {**_given(entry, place), **answer, "keywords": list(texts_of(entry, "keywords", place))}
