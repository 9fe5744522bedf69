"""Turns descriptions into instructions: the language model asked in rounds, its answers checked against a schema."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from editfoundry.data.record import Quadruple
from editfoundry.errors import Rejection
from editfoundry.pretrained.asking import Asker
from editfoundry.pretrained.chat import ChatAnswer, Request
from editfoundry.synthesis.editworld_video.config import VideoBranchConfig
from editfoundry.synthesis.editworld_video.storyline_prompts import StorylinePrompts
from editfoundry.synthesis.quadruples.answers import (
    PROMPT_FAILED,
    UNPARSABLE,
    check_answered,
    is_refusal,
    json_objects,
    read_category,
    read_quadruple,
)
from editfoundry.synthesis.quadruples.config import QuadrupleConfig
from editfoundry.synthesis.quadruples.seeding import seed_of

NOTHING_HAPPENS = "no storyline"
_LIMITS = QuadrupleConfig()


@dataclass(frozen=True, kw_only=True)
class Described:
    """A clip in words."""

    id: str
    """The pair's."""
    source: str
    description: str
    """By the video-language model."""
    caption: str
    """The table's own; may be empty."""


@dataclass(frozen=True)
class Refused:
    """Why a clip has no instruction, and what the model last wrote."""

    rejection: Rejection
    answer: str


def write_instructions(
    clips: Sequence[Described], prompts: StorylinePrompts, config: VideoBranchConfig, asker: Asker
) -> list[Quadruple | Refused]:
    """Return each clip's instruction with its captions, keywords and category, or why there is none.

    An answer that is unusable is asked for anew with another seed; a ``null`` is final.

    Raises:
        UnavailableError: the model did not answer; what it did answer is in the journal.
    """
    results: dict[int, Quadruple | Refused] = {}
    still_open = list(range(len(clips)))
    for attempt in range(config.max_attempts):
        requests = [_request(clips[i], prompts, config, attempt) for i in still_open]
        for number, answer in zip(still_open, asker.ask(requests, config.sampling), strict=True):
            results[number] = _read(answer, clips[number], prompts)
        still_open = [i for i in still_open if _is_worth_another(results[i])]
    return [results[number] for number in range(len(clips))]


def _request(clip: Described, prompts: StorylinePrompts, config: VideoBranchConfig, attempt: int) -> Request:
    chat = prompts.instruct(clip.description, clip.caption, config.num_exemplars, (config.seed, attempt))
    return Request(chat=chat, seed=seed_of("storyline", config.seed, clip.id, attempt))


def _read(answer: ChatAnswer, clip: Described, prompts: StorylinePrompts) -> Quadruple | Refused:
    try:
        check_answered(answer)
        objects = json_objects(answer.text)
        if not objects and is_refusal(answer.text):
            raise Rejection(NOTHING_HAPPENS, clip.description[:200])
        if not objects:
            raise Rejection(UNPARSABLE, answer.finish_reason)
        category = read_category(str(objects[0].get("category", "")), prompts.definitions)
        if category is None:
            raise Rejection("unknown category", str(objects[0].get("category"))[:80])
        return read_quadruple(objects[0], category, clip.source, _LIMITS)
    except Rejection as rejection:
        return Refused(rejection, answer.text)


def _is_worth_another(result: Quadruple | Refused) -> bool:
    return isinstance(result, Refused) and result.rejection.reason not in (NOTHING_HAPPENS, PROMPT_FAILED)
