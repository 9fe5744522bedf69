"""The video branch's questions to the embedded language model, with tinyworld's true answers.

The video-language model errs, and a table's caption may be of another part of the clip: the language model must learn
whom to believe. So some descriptions are of another scene or another storyline, and some captions of another scene.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache

import numpy as np

from editfoundry.pretrained.chat import Chat, Message
from editfoundry.pretraining import quadruple_chats
from editfoundry.pretraining.quadruple_chats import ChatSampler
from editfoundry.pretraining.storyline_tokens import PROMPTS
from editfoundry.synthesis.editworld_video.storyline_prompts import NULL, StorylinePrompts, load_storyline_prompts
from editfoundry.tinyworld.captions import keywords_of
from editfoundry.tinyworld.clips.storylines import video_rules
from editfoundry.tinyworld.edits import Edit, sample_world_edit
from editfoundry.tinyworld.rule import Rule
from editfoundry.tinyworld.scene_sampling import sample_scene
from editfoundry.tinyworld.storyline_text import describe_storyline

NOTHING_SHARE = 0.05
"""Descriptions in which nothing happens; the answer is null."""
FOREIGN_SHARE, NO_CAPTION_SHARE = 0.14, 0.14
"""Captions of another scene, and questions without one; their descriptions are right."""
MISSEEN_SHARE, WRONG_SHARE = 0.25, 0.3
"""Descriptions, beside a right caption, of another scene with the same change, and of another storyline."""


def sample_storyline_chat(sampler: ChatSampler, random: np.random.Generator) -> Chat:
    """Draw a description of what a rule of the video categories does, with the instruction that it follows."""
    edit = _sample_edit(sampler, random)
    if random.random() < NOTHING_SHARE:
        return storyline_chat(describe_storyline(edit.before, edit.before), edit.before.caption, NULL)
    drawn = random.random()
    seen, caption = edit, edit.before.caption
    if drawn < FOREIGN_SHARE + NO_CAPTION_SHARE:
        caption = sample_scene(random, sampler.split).caption if drawn < FOREIGN_SHARE else ""
    else:
        seen = _seen(sampler, random, edit)
    return storyline_chat(describe_storyline(seen.before, seen.after), caption, storyline_answer(edit))


def storyline_chat(description: str, caption: str, answer: str) -> Chat:
    """Return the question about a description, as the video branch asks it, and its answer."""
    return (*_prompts().instruct(description, caption, 1, ()), Message("assistant", answer))


def storyline_answer(edit: Edit) -> str:
    """Return the JSON that is asked for."""
    assert edit.index is not None
    fields = {
        "category": edit.category,
        "input_caption": edit.before.caption,
        "instruction": edit.instruction,
        "output_caption": edit.after.caption,
        "keywords": keywords_of(edit.before, edit.index),
    }
    return json.dumps(fields, ensure_ascii=False)


def _sample_edit(sampler: ChatSampler, random: np.random.Generator, rule: Rule | None = None) -> Edit:
    rules = video_rules()
    return sample_world_edit(random, sampler.split, rule or rules[int(random.integers(len(rules)))])


def _seen(sampler: ChatSampler, random: np.random.Generator, edit: Edit) -> Edit:
    """Draw what the video-language model makes of an edit."""
    drawn = random.random()
    if drawn < MISSEEN_SHARE:
        return _sample_edit(sampler, random, next(rule for rule in video_rules() if rule.name == edit.rule))
    return _sample_edit(sampler, random) if drawn < MISSEEN_SHARE + WRONG_SHARE else edit


@lru_cache(maxsize=1)
def _prompts() -> StorylinePrompts:
    return load_storyline_prompts(PROMPTS)


TASKS: dict[str, Callable[[ChatSampler, np.random.Generator], Chat]] = {
    **quadruple_chats.TASKS, "storyline": sample_storyline_chat,
}  # fmt: skip
