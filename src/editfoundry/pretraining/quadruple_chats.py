"""Draws the chats that teach the embedded language model: the writer's own questions with tinyworld's true answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from editfoundry.data.record import Quadruple
from editfoundry.pretrained.chat import Chat, Message
from editfoundry.synthesis.quadruples.config import TEXT_CATEGORIES, QuadrupleConfig
from editfoundry.synthesis.quadruples.exemplars import ExemplarFile
from editfoundry.synthesis.quadruples.quadruple_prompts import NULL, Prompts, caption_answer, free_answer
from editfoundry.tinyworld.captions import scene_from_caption
from editfoundry.tinyworld.objects import KINDS
from editfoundry.tinyworld.quadruple_truth import rules_of, sample_quadruple, true_category
from editfoundry.tinyworld.rule import Rule
from editfoundry.tinyworld.rules import trained_rules
from editfoundry.tinyworld.scene import Scene
from editfoundry.tinyworld.scene_sampling import Split, random_background, sample_scene

T = TypeVar("T")
CAPTION_FITS_SHARE = 0.6
"""Questions about a caption to which a rule of the category applies for sure."""
OTHER_RULE_SHARE = 0.2
"""Questions about one to which some other rule applies."""
TRUE_SHARE = 0.7
"""Quadruples that are true among those whose category is asked for."""


@dataclass(frozen=True)
class ChatSampler:
    """Draws chats of one split of tinyworld's scenes; few-shot turns are drawn, too."""

    exemplars: ExemplarFile
    split: Split = "train"

    def from_caption(self, random: np.random.Generator) -> Chat:
        """Draw a question about a caption, with its answer."""
        category = _pick(random, TEXT_CATEGORIES)
        scene = sample_asked_scene(random, category, self.split)
        written = sample_quadruple(random, scene, category)
        answer = NULL if written is None else caption_answer(written)
        return (*self._prompts(random, category).from_caption(scene.caption, category), Message("assistant", answer))

    def free(self, random: np.random.Generator) -> Chat:
        """Draw a whole conversation of the free source."""
        category = _pick(random, TEXT_CATEGORIES)
        prompts = self._prompts(random, category)
        count = prompts.quadruples_per_turn
        answers = [
            free_answer([self.quadruple(random, category) for _ in range(count)]) for _ in range(prompts.num_turns)
        ]
        return (*prompts.free(category, 0, answers[:-1]), Message("assistant", answers[-1]))

    def verify(self, random: np.random.Generator) -> Chat:
        """Draw a quadruple, true or not, and its category."""
        quadruple, category = sample_verified(random, self.split)
        question = Prompts.of(self.exemplars, QuadrupleConfig()).verify(quadruple)
        return (*question, Message("assistant", category or NULL))

    def quadruple(self, random: np.random.Generator, category: str) -> Quadruple:
        """Draw a true quadruple; every rule of the category is as likely."""
        return sample_true(random, category, self.split)

    def _exemplar(self, random: np.random.Generator, category: str) -> Quadruple:
        """Draw one by day, as the file's are: else this small a model copies the exemplar's time of day."""
        while True:
            drawn = self.quadruple(random, category)
            if scene_from_caption(drawn.input_caption).background.time == "day":
                return drawn

    def _prompts(self, random: np.random.Generator, category: str) -> Prompts:
        """Return the writer's prompts with exemplars of their own, so that the answers in these teach as well."""
        drawn = tuple(self._exemplar(random, category) for _ in range(self.exemplars.num_exemplars))
        known = self.exemplars.categories[category]
        categories = {**self.exemplars.categories, category: replace(known, exemplars=drawn)}
        return Prompts.of(replace(self.exemplars, categories=categories), QuadrupleConfig())


TASKS: dict[str, Callable[[ChatSampler, np.random.Generator], Chat]] = {
    "from_caption": ChatSampler.from_caption, "free": ChatSampler.free, "verify": ChatSampler.verify,
}  # fmt: skip


def sample_true(random: np.random.Generator, category: str, split: Split) -> Quadruple:
    """Draw a true quadruple of the category; every rule of it is as likely."""
    scene = _scene_for(random, _pick(random, rules_of(category)), split)
    written = sample_quadruple(random, scene, category)
    assert written is not None
    return written


def sample_asked_scene(random: np.random.Generator, category: str, split: Split) -> Scene:
    """Draw a scene whose caption is asked about; to some of them no rule of the category applies."""
    drawn = random.random()
    if drawn < CAPTION_FITS_SHARE:
        return _scene_for(random, _pick(random, rules_of(category)), split)
    if drawn < CAPTION_FITS_SHARE + OTHER_RULE_SHARE:
        return _scene_for(random, _pick(random, trained_rules()), split)
    return sample_scene(random, split)


def sample_verified(random: np.random.Generator, split: Split) -> tuple[Quadruple, str | None]:
    """Draw a quadruple and its true category; None for one that is not true."""
    category = _pick(random, TEXT_CATEGORIES)
    quadruple = sample_true(random, category, split)
    if random.random() >= TRUE_SHARE:
        quadruple = _spoiled(random, quadruple)
    return quadruple, true_category(quadruple.input_caption, quadruple.instruction, quadruple.output_caption)


def _spoiled(random: np.random.Generator, quadruple: Quadruple) -> Quadruple:
    """Draw another instruction, state, or background."""
    drawn = random.random()
    if drawn < 0.5:
        wordings = _pick(random, rules_of(_pick(random, TEXT_CATEGORIES))).wordings
        return replace(quadruple, instruction=_pick(random, wordings))
    scene = scene_from_caption(quadruple.output_caption)
    if drawn < 0.8:
        index = int(random.integers(len(scene.objects)))
        states = tuple(KINDS[scene.objects[index].kind].states)
        return replace(quadruple, output_caption=scene.with_object(index, state=_pick(random, states)).caption)
    return replace(quadruple, output_caption=replace(scene, background=random_background(random)).caption)


def _scene_for(random: np.random.Generator, rule: Rule, split: Split) -> Scene:
    return sample_scene(random, split, kind=rule.kind, state=rule.before)


def _pick(random: np.random.Generator, options: tuple[T, ...]) -> T:
    return options[int(random.integers(len(options)))]
