"""Asks the model which category a quadruple is of; it must agree with what the quadruple was written for."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from editfoundry.data.record import Quadruple
from editfoundry.errors import Rejection
from editfoundry.pretrained.asking import Asker
from editfoundry.pretrained.chat import FAILED, ChatAnswer, Request, Sampling
from editfoundry.synthesis.quadruples.answers import check_answered, read_category
from editfoundry.synthesis.quadruples.seeding import seed_of
from editfoundry.synthesis.quadruples.writing import Writing


def verify(quadruples: Sequence[Quadruple], writing: Writing, asker: Asker) -> list[Rejection | None]:
    """Return for each quadruple None where the model, asked without being told, names its category, else why not.

    An answer that names no category, or several, has its own reason; an endpoint is asked for it anew before. Without
    ``verify`` in the configuration nothing is asked, and all agree.

    Raises:
        UnavailableError: the model did not answer; what it did answer is in the journal.
    """
    verdicts: dict[int, Rejection | None] = dict.fromkeys(range(len(quadruples)))
    still_open = list(verdicts) if writing.config.verify else []
    for attempt in range(writing.config.max_attempts if asker.asks_endpoint else 1):
        requests = [_request(quadruples[i], writing, attempt) for i in still_open]
        answers = asker.ask(requests, _sampling(writing, attempt))
        unread = []
        for number, answer in zip(still_open, answers, strict=True):
            try:
                verdicts[number] = _verdict(answer, quadruples[number], writing)
            except Rejection as failed:
                verdicts[number] = failed
                if answer.finish_reason != FAILED:
                    unread.append(number)
        still_open = unread
    return list(verdicts.values())


def _request(quadruple: Quadruple, writing: Writing, attempt: int) -> Request:
    again = (attempt,) if attempt else ()
    seed = seed_of("verify", writing.config.seed, quadruple.id, *again)
    return Request(chat=writing.prompts.verify(quadruple), seed=seed)


def _sampling(writing: Writing, attempt: int) -> Sampling:
    # At a temperature of 0 a second answer would be the first one again.
    sampling = writing.verify_sampling
    return dataclasses.replace(sampling, temperature=writing.config.temperature) if attempt else sampling


def _verdict(answer: ChatAnswer, quadruple: Quadruple, writing: Writing) -> Rejection | None:
    """Return None for the right category, a rejection for another; raise Rejection where none can be read."""
    try:
        check_answered(answer)
    except Rejection as failed:
        raise Rejection(f"not verified: {failed.reason}", failed.detail) from failed
    category = read_category(answer.text, writing.prompts.exemplars.categories)
    if category is None:
        raise Rejection("not verified: no single category named", answer.text[:200])
    return None if category == quadruple.category else Rejection("category not confirmed", quadruple.category)
