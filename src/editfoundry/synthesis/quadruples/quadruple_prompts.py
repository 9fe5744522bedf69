"""The chats that the quadruple writer asks: few-shot turns, then the question (EditWorld, text branch, step 1)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from string import Template

import numpy as np

from editfoundry.data.record import Quadruple
from editfoundry.pretrained.chat import Chat, Message
from editfoundry.synthesis.quadruples.config import QuadrupleConfig
from editfoundry.synthesis.quadruples.exemplars import Category, ExemplarFile
from editfoundry.synthesis.quadruples.seeding import random_of

NULL = "null"
"""The answer where no instruction of a category fits a caption."""
_FREE_FIELDS = ("input_caption", "instruction", "output_caption", "keywords")
_CAPTION_FIELDS = _FREE_FIELDS[1:]


@dataclass(frozen=True, kw_only=True)
class Prompts:
    """Builds chats from one file of exemplars."""

    exemplars: ExemplarFile
    seed: int
    num_exemplars: int
    quadruples_per_turn: int
    num_turns: int

    @classmethod
    def of(cls, exemplars: ExemplarFile, config: QuadrupleConfig) -> Prompts:
        """Take what the configuration leaves open from the exemplars' file."""
        return cls(
            exemplars=exemplars,
            seed=config.seed,
            num_exemplars=config.num_exemplars or exemplars.num_exemplars,
            quadruples_per_turn=config.quadruples_per_turn or exemplars.quadruples_per_turn,
            num_turns=config.num_turns or exemplars.num_turns,
        )

    def from_caption(self, caption: str, category: str, attempt: int = 0) -> Chat:
        """Ask for a quadruple of ``category`` to a caption; all captions of one attempt share everything before it."""
        random = random_of("caption exemplars", self.seed, category, attempt)
        turns = [(e.input_caption, caption_answer(e)) for e in self._choose(random, category)]
        refused = self._category(category).refused
        chosen = random.permutation(len(refused))[: self.exemplars.num_refused]
        turns += [(refused[i], NULL) for i in chosen]
        shown = [turns[i] for i in random.permutation(len(turns))]
        chat = [self._system("from_caption", category)]
        for given, answer in shown:
            chat += [self._user("caption", caption=given), Message("assistant", answer)]
        return (*chat, self._user("caption", caption=caption))

    def free(self, category: str, conversation: object, earlier: Sequence[str]) -> Chat:
        """Ask for quadruples of ``category``; ``earlier`` are the answers to this conversation's turns so far."""
        random = random_of("free exemplars", self.seed, category, conversation)
        chosen = self._choose(random, category)
        chat = [
            self._system("free", category),
            self._user("first_turn", count=len(chosen)),
            Message("assistant", free_answer(chosen)),
        ]
        for answer in earlier:
            chat += [self._next_turn(), Message("assistant", answer)]
        return (*chat, self._next_turn())

    def verify(self, quadruple: Quadruple) -> Chat:
        """Ask which category a quadruple is of, without telling which one it was written for."""
        lines = [f"* {c.name}: {c.definition}" for c in self.exemplars.categories.values()]
        system = Template(self.exemplars.prompts["verify"]).safe_substitute(definitions="\n".join(lines))
        question = self._user(
            "quadruple",
            input_caption=quadruple.input_caption,
            instruction=quadruple.instruction,
            output_caption=quadruple.output_caption,
        )
        return (Message("system", system), question)

    def _choose(self, random: np.random.Generator, category: str) -> list[Quadruple]:
        known = self._category(category).exemplars
        return [known[i] for i in random.permutation(len(known))[: self.num_exemplars]]

    def _category(self, name: str) -> Category:
        return self.exemplars.categories[name]

    def _system(self, prompt: str, category: str) -> Message:
        text = Template(self.exemplars.prompts[prompt])
        return Message(
            "system", text.safe_substitute(category=category, definition=self._category(category).definition)
        )

    def _user(self, prompt: str, **values: object) -> Message:
        return Message("user", Template(self.exemplars.prompts[prompt]).safe_substitute(values))

    def _next_turn(self) -> Message:
        return self._user("next_turn", count=self.quadruples_per_turn)


def caption_answer(quadruple: Quadruple) -> str:
    """Return the JSON of a quadruple whose caption was given."""
    return _json({name: getattr(quadruple, name) for name in _CAPTION_FIELDS})


def free_answer(quadruples: Sequence[Quadruple]) -> str:
    """Return the JSON of freely written quadruples."""
    return _json([{name: getattr(q, name) for name in _FREE_FIELDS} for q in quadruples])


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
