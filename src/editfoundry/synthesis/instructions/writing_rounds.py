"""Writes an instruction for each caption of a shard, in rounds that ask about all open captions at once."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from editfoundry.data.record import Caption
from editfoundry.data.rejections import RejectedRow
from editfoundry.errors import Rejection
from editfoundry.pretrained.asking import Asker
from editfoundry.pretrained.chat import ChatAnswer, Request
from editfoundry.sources.laion_filters import SeenRows
from editfoundry.synthesis.instructions.config import InstructionConfig
from editfoundry.synthesis.instructions.instruction_format import (
    STOP,
    check_text,
    is_same_caption,
    mark_inside,
    question,
    read_answer,
    shown,
)
from editfoundry.synthesis.instructions.instruction_rows import InstructionRow
from editfoundry.synthesis.instructions.moderating import Moderating
from editfoundry.synthesis.instructions.text_lengths import TextLengths
from editfoundry.synthesis.quadruples.answers import PROMPT_FAILED, PROMPT_REFUSED
from editfoundry.synthesis.quadruples.seeding import seed_of

_FINAL = (PROMPT_REFUSED, PROMPT_FAILED)
"""Asking anew would not help."""


@dataclass
class _Captioned:
    """A caption, and what has become of it."""

    caption: Caption
    text: str
    """The caption on one line."""
    attempt: int = 0
    failed: Rejection | None = None
    """Why there is nothing yet, of the last attempt."""
    is_over: bool = False
    """Nothing more is asked about it."""
    written: tuple[str, str] | None = None
    """Instruction and edited caption."""
    raw: str = ""
    """The answer that ``failed`` is about."""


@dataclass(frozen=True)
class Tools:
    """Whom a shard's captions go to."""

    asker: Asker
    moderating: Moderating
    lengths: TextLengths
    seen: SeenRows
    """Captions and URLs of the shards before; those of this one are added."""
    provenance: Mapping[str, Any]
    """Of every row: the models' names."""


def write_rows_of(
    captions: Sequence[Caption],
    config: InstructionConfig,
    tools: Tools,
    tell: Callable[[int], None] = lambda done: None,
) -> tuple[list[InstructionRow], list[RejectedRow]]:
    """Return the rows of a shard's captions, in their order, and the captions that got none, with the reason.

    A caption that can be used is asked about until its answer can be, ``config.max_attempts`` times at most. ``tell``
    is called with the number of captions that need no more questions.

    Raises:
        UnavailableError: the model or the moderator did not answer; what was answered is in the journals.
    """
    tried = [_checked(caption, tools) for caption in captions]
    _moderate([one for one in tried if not one.is_over], lambda one: (one.text,), tools, is_final=True)
    sampling = replace(config.sampling, stop=(STOP,))
    while going := [one for one in tried if not one.is_over]:
        answers = tools.asker.ask([_request(one, config) for one in going], sampling)
        for one, answer in zip(going, answers, strict=True):
            _take(one, answer, tools.lengths)
        _moderate([one for one in going if one.written], lambda one: one.written or (), tools, is_final=False)
        for one in going:
            one.attempt += 1
            one.is_over |= one.written is not None or one.attempt == config.max_attempts
        tell(sum(one.is_over for one in tried))
    rows = [_row(one, config, tools.provenance) for one in tried if one.written]
    return rows, [_rejected(one) for one in tried if not one.written]


def _checked(caption: Caption, tools: Tools) -> _Captioned:
    one = _Captioned(caption, " ".join(caption.caption.split()))
    try:
        tools.seen.take(caption)
        check_text("caption", one.text)
        if mark := mark_inside(caption.caption):
            raise Rejection("delimiter inside", repr(mark))
        tools.lengths.check("caption", one.text)
    except Rejection as failed:
        one.failed, one.is_over = failed, True
    return one


def _request(one: _Captioned, config: InstructionConfig) -> Request:
    return Request(chat=question(one.text), seed=seed_of("instruction", config.seed, one.caption.id, one.attempt))


def _take(one: _Captioned, answer: ChatAnswer, lengths: TextLengths) -> None:
    """Read an answer into ``written``, or note why it cannot be used."""
    one.raw = answer.text
    try:
        edit, output = read_answer(answer)
        if is_same_caption(one.text, output):
            raise Rejection("equal captions", shown(output))
        lengths.check("instruction", edit)
        lengths.check("edited caption", output)
        one.written = edit, output
    except Rejection as failed:
        one.failed, one.is_over = failed, failed.reason in _FINAL


def _moderate(
    ones: Sequence[_Captioned], texts_of: Callable[[_Captioned], Sequence[str]], tools: Tools, is_final: bool
) -> None:
    """Take away what is flagged; ``is_final``: asking anew would not help."""
    texts = [(one, text) for one in ones for text in texts_of(one)]
    for (one, _), failed in zip(texts, tools.moderating.verdicts([text for _, text in texts]), strict=True):
        if failed is not None:
            one.written, one.failed, one.is_over = None, failed, is_final


def _row(one: _Captioned, config: InstructionConfig, provenance: Mapping[str, Any]) -> InstructionRow:
    assert one.written is not None
    edit, output = one.written
    # The attempt counts from 0; it was raised when the answer had been read.
    asked = {**provenance, **sampling_facts(config), "attempt": one.attempt - 1}
    return InstructionRow(
        input=one.text,
        edit=edit,
        output=output,
        id=one.caption.id,
        url=one.caption.url,
        provenance=json.dumps(asked, ensure_ascii=False),
    )


def sampling_facts(config: InstructionConfig) -> dict[str, Any]:
    """Return the parameters that shape a row."""
    values = asdict(config)
    return {name: value for name, value in values.items() if name not in ("requests_per_batch", "max_attempts")}


def _rejected(one: _Captioned) -> RejectedRow:
    failed = one.failed or Rejection("no answer")
    row = asdict(one.caption) | ({"answer": one.raw} if one.raw else {})
    return RejectedRow(one.caption.id, failed.reason, failed.detail, row)
