"""Writes a quadruple for each caption of a shard, in rounds that ask about all open captions at once."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field

from editfoundry.data.record import Caption, Quadruple
from editfoundry.data.rejections import RejectedRow
from editfoundry.errors import Rejection
from editfoundry.pretrained.asking import Asker
from editfoundry.pretrained.chat import Request
from editfoundry.synthesis.quadruples.answers import (
    PROMPT_FAILED,
    UNPARSABLE,
    check_answered,
    is_refusal,
    json_objects,
    read_quadruple,
)
from editfoundry.synthesis.quadruples.near_copies import NearCopies
from editfoundry.synthesis.quadruples.seeding import random_of, seed_of
from editfoundry.synthesis.quadruples.verification import verify
from editfoundry.synthesis.quadruples.writing import Writing


@dataclass
class _Open:
    """A caption that is being written for."""

    number: int
    caption: Caption
    categories: Sequence[str]
    """In the order in which they are tried."""
    attempt: int = 0
    """Attempts at the first of ``categories`` that gave nothing usable."""
    failed: Rejection = field(default_factory=lambda: Rejection("no category applies"))
    """Why there is nothing yet."""
    raw: str = ""
    """The answer that ``failed`` is about."""

    @property
    def category(self) -> str:
        return self.categories[0]

    def next_category(self, failed: Rejection | None, raw: str = "") -> None:
        """Give this category up."""
        # What the model wrote in vain tells more than that it saw no use in the other categories.
        if failed is not None:
            self.failed, self.raw = failed, raw
        self.categories, self.attempt = self.categories[1:], 0

    def give_up(self, failed: Rejection, raw: str) -> None:
        """Ask no more about this caption."""
        self.failed, self.raw, self.categories = failed, raw, ()

    def try_again(self, failed: Rejection, raw: str, max_attempts: int) -> None:
        """Ask anew, unless that was done often enough."""
        self.attempt += 1
        if self.attempt == max_attempts:
            self.next_category(failed, raw)


def write_from_captions(
    captions: Sequence[Caption],
    writing: Writing,
    asker: Asker,
    tell: Callable[[int], None] = lambda done: None,
) -> tuple[list[Quadruple], list[RejectedRow]]:
    """Return the quadruples of a shard's captions, in their order, and the captions that got none, with the reason.

    Each caption is tried with its categories in an order of its own; the model may refuse one. An answer that is
    unusable is asked for anew with another seed. What is like an exemplar or an earlier quadruple is dropped. ``tell``
    is called with the number of captions that need no more questions.

    Raises:
        UnavailableError: the model did not answer; what it did answer is in the journal.
    """
    tried = [_opened(number, caption, writing) for number, caption in enumerate(captions)]
    open_ones = [one for one in tried if one.categories]
    written: dict[int, Quadruple] = {}
    while open_ones:
        found = _round(open_ones, writing, asker)
        verdicts = verify([quadruple for _, quadruple in found], writing, asker)
        for (one, quadruple), failed in zip(found, verdicts, strict=True):
            if failed is None:
                written[one.number] = quadruple
            else:
                one.next_category(failed, json.dumps(asdict(quadruple)))
        open_ones = [one for one in open_ones if one.categories and one.number not in written]
        tell(len(tried) - len(open_ones))
    return _without_copies(tried, written, writing)


def _opened(number: int, caption: Caption, writing: Writing) -> _Open:
    config = writing.config
    length = len(caption.caption)
    if length > config.max_caption_characters:
        reason = Rejection("input caption too long", f"{length} characters; at most {config.max_caption_characters}")
        return _Open(number, caption, (), failed=reason)
    order = random_of("categories", config.seed, caption.id).permutation(len(config.categories))
    return _Open(number, caption, [config.categories[i] for i in order[: config.max_categories]])


def _round(open_ones: Sequence[_Open], writing: Writing, asker: Asker) -> list[tuple[_Open, Quadruple]]:
    """Ask once about every open caption; return those to which there is a quadruple now."""
    found = []
    answers = asker.ask([_request(one, writing) for one in open_ones], writing.sampling)
    for one, answer in zip(open_ones, answers, strict=True):
        try:
            check_answered(answer)
            objects = json_objects(answer.text)
            if not objects and is_refusal(answer.text):
                one.next_category(None)
                continue
            if not objects:
                raise Rejection(UNPARSABLE, answer.finish_reason)
            fields = {**objects[0], "input_caption": one.caption.caption}
            source = f"{one.caption.id} {one.caption.url}".strip()
            found.append((one, read_quadruple(fields, one.category, source, writing.config)))
        except Rejection as failed:
            if failed.reason == PROMPT_FAILED:
                one.give_up(failed, answer.text)
                continue
            one.try_again(failed, answer.text, writing.config.max_attempts)
    return found


def _request(one: _Open, writing: Writing) -> Request:
    chat = writing.prompts.from_caption(one.caption.caption, one.category, one.attempt)
    return Request(chat=chat, seed=seed_of("caption", writing.config.seed, one.caption.id, one.category, one.attempt))


def _without_copies(
    tried: Sequence[_Open], written: dict[int, Quadruple], writing: Writing
) -> tuple[list[Quadruple], list[RejectedRow]]:
    kept: list[Quadruple] = []
    rejected: list[RejectedRow] = []
    seen = NearCopies(writing.config.max_similarity)
    for exemplar in writing.exemplars:
        seen.add(exemplar)
    for one in tried:
        quadruple = written.get(one.number)
        if quadruple is None:
            row = {**asdict(one.caption), "answer": one.raw}
            rejected.append(RejectedRow(one.caption.id, one.failed.reason, one.failed.detail, row))
        elif seen.add(quadruple):
            kept.append(quadruple)
        else:
            rejected.append(RejectedRow(one.caption.id, "near copy", quadruple.instruction, asdict(quadruple)))
    return kept, rejected
