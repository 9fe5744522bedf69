"""Prompts, definitions and exemplars of the video branch: one TOML file for each kind of language model."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

from editfoundry.errors import BadInputError
from editfoundry.pretrained.chat import Chat, Message
from editfoundry.synthesis.prompt_files import read_prompt_file
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
    return _checked(*read_prompt_file(name_or_path, _FOLDER, "storyline prompts"))


def _checked(path: Path, values: Mapping[str, Any]) -> StorylinePrompts:
    prompts = values.get("prompts", {})
    missing = [name for name in _PROMPTS if not isinstance(prompts.get(name), str)]
    if missing:
        raise BadInputError(f"{path}: [prompts] has no text {missing[0]!r}")
    definitions = {c.get("name"): c.get("definition") for c in values.get("categories", [])}
    if not definitions or not all(isinstance(part, str) for pair in definitions.items() for part in pair):
        raise BadInputError(f"{path}: every one of [[categories]] needs a name and a definition")
    for number, exemplar in enumerate(values.get("exemplars", []), start=1):
        lacking = [name for name in (*_GIVEN, *_ANSWER) if name not in exemplar]
        if lacking or exemplar["category"] not in definitions:
            raise BadInputError(f"{path}: exemplar {number} lacks {lacking[0] if lacking else 'a known category'}")
    for number, refused in enumerate(values.get("refused", []), start=1):
        if any(name not in refused for name in _GIVEN):
            raise BadInputError(f"{path}: refused {number} needs a description and a caption")
    return StorylinePrompts(
        path=path,
        prompts={name: prompts[name].strip() for name in _PROMPTS},
        definitions=definitions,
        exemplars=values.get("exemplars", []),
        refused=values.get("refused", []),
    )
