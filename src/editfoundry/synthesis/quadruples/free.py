"""Writes quadruples from the exemplars alone, in conversations that go on: "continue with more" (EditWorld)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from editfoundry.data.record import Quadruple
from editfoundry.data.rejections import RejectedRow
from editfoundry.errors import Rejection
from editfoundry.pretrained.asking import Asker
from editfoundry.pretrained.chat import ChatAnswer, Request
from editfoundry.synthesis.quadruples.answers import (
    PROMPT_FAILED,
    UNPARSABLE,
    check_answered,
    json_objects,
    read_quadruple,
)
from editfoundry.synthesis.quadruples.near_copies import NearCopies
from editfoundry.synthesis.quadruples.seeding import seed_of
from editfoundry.synthesis.quadruples.verification import verify
from editfoundry.synthesis.quadruples.writing import Writing

MAX_BARREN_WAVES = 2
"""A shard is given up after this many waves of conversations in a row that gave nothing new."""


@dataclass
class _Conversation:
    """One chat about one category."""

    category: str
    key: tuple[int, int]
    """The wave, and the place within it."""
    earlier: list[str] = field(default_factory=list)
    """The model's answers so far."""
    attempt: int = 0
    over: bool = False


@dataclass
class _Shard:
    """What a shard holds so far."""

    wanted: dict[str, int]
    """Category -> number of quadruples that are still missing."""
    tell: Callable[[int], None]
    kept: list[Quadruple] = field(default_factory=list)
    rejected: list[RejectedRow] = field(default_factory=list)

    def reject(self, reason: Rejection, row: dict[str, object]) -> None:
        self.rejected.append(RejectedRow(f"free:{len(self.rejected)}", reason.reason, reason.detail, row))


def write_freely(
    count: int,
    shard: int,
    writing: Writing,
    asker: Asker,
    earlier: Iterable[Quadruple] = (),
    tell: Callable[[int], None] = lambda done: None,
) -> tuple[list[Quadruple], list[RejectedRow]]:
    """Write ``count`` quadruples, the same number of every category, and return them with what was dropped.

    There are fewer where the model has no new ideas any more. ``earlier`` are those of other shards; what is like
    one of them, like an exemplar or like another one is dropped. ``tell`` is called with the number written so far.

    Raises:
        UnavailableError: the model did not answer; what it did answer is in the journal.
    """
    categories = writing.config.categories
    wanted = {c: count // len(categories) + (i < count % len(categories)) for i, c in enumerate(categories)}
    state = _Shard(wanted, tell)
    seen = NearCopies(writing.config.max_similarity)
    for known in (*writing.exemplars, *earlier):
        seen.add(known)
    wave, barren = 0, 0
    while any(state.wanted.values()) and barren < MAX_BARREN_WAVES:
        before = len(state.kept)
        _hold_wave(_conversations(state, (shard, wave), writing), state, seen, writing, asker)
        barren = 0 if len(state.kept) > before else barren + 1
        wave += 1
    return state.kept, state.rejected


def _conversations(state: _Shard, key: tuple[int, int], writing: Writing) -> list[_Conversation]:
    """Open as many conversations of each category as it takes if every turn gives what it is asked for."""
    per_conversation = writing.prompts.quadruples_per_turn * writing.prompts.num_turns
    shard, wave = key
    return [
        _Conversation(category, (shard, wave * 100_000 + number))
        for category, wanted in state.wanted.items()
        for number in range(-(-wanted // per_conversation))
    ]


def _hold_wave(
    conversations: Sequence[_Conversation], state: _Shard, seen: NearCopies, writing: Writing, asker: Asker
) -> None:
    """Hold all conversations at once, turn by turn."""
    going = list(conversations)
    while going:
        answers = asker.ask([_request(one, writing) for one in going], writing.free_sampling)
        candidates: list[Quadruple] = []
        for one, answer in zip(going, answers, strict=True):
            candidates += _take(one, answer, state, writing)
        _keep(candidates, state, seen, writing, asker)
        going = [one for one in going if not one.over and state.wanted[one.category]]


def _request(one: _Conversation, writing: Writing) -> Request:
    chat = writing.prompts.free(one.category, one.key, one.earlier)
    return Request(
        chat=chat, seed=seed_of("free", writing.config.seed, one.category, one.key, len(one.earlier), one.attempt)
    )


def _take(one: _Conversation, answer: ChatAnswer, state: _Shard, writing: Writing) -> list[Quadruple]:
    """Read one turn's answer; an unusable one is asked for anew, and at last recorded."""
    try:
        objects = _read(answer)
    except Rejection as reason:
        one.attempt += 1
        if one.attempt == writing.config.max_attempts or reason.reason == PROMPT_FAILED:
            state.reject(reason, {"category": one.category, "answer": answer.text})
            one.over = True
        return []
    one.earlier, one.attempt = [*one.earlier, answer.text], 0
    one.over = len(one.earlier) == writing.prompts.num_turns
    found = []
    for fields in objects:
        try:
            found.append(read_quadruple(fields, one.category, f"free:{one.key[0]}:{one.key[1]}", writing.config))
        except Rejection as reason:
            state.reject(reason, {"category": one.category, "answer": fields})
    return found


def _read(answer: ChatAnswer) -> list[dict[str, Any]]:
    check_answered(answer)
    objects = json_objects(answer.text)
    if not objects:
        raise Rejection(UNPARSABLE, answer.finish_reason)
    return objects


def _keep(candidates: list[Quadruple], state: _Shard, seen: NearCopies, writing: Writing, asker: Asker) -> None:
    new = []
    for quadruple in candidates:
        if seen.add(quadruple):
            new.append(quadruple)
        else:
            state.reject(Rejection("near copy", quadruple.instruction), asdict(quadruple))
    for quadruple, failed in zip(new, verify(new, writing, asker), strict=True):
        if failed is not None:
            state.reject(failed, asdict(quadruple))
        elif not state.wanted[quadruple.category]:
            state.reject(Rejection("more than asked for", quadruple.category), asdict(quadruple))
        else:
            state.wanted[quadruple.category] -= 1
            state.kept.append(quadruple)
    state.tell(len(state.kept))
