"""What the language model is shown and how it answers: the format that InstructPix2Pix fine-tuned a model for.

One delimiter ends the caption, one stands between the two answers, and a text ends them: all three as released.
"""

from __future__ import annotations

from editfoundry.errors import Rejection
from editfoundry.judging.clip_similarity import plain_text
from editfoundry.pretrained.chat import Chat, ChatAnswer, Message
from editfoundry.synthesis.quadruples.answers import check_answered

AFTER_CAPTION = "\n##\n"
BETWEEN_ANSWERS = "\n%%\n"
STOP = "\nEND"
MARKS = (AFTER_CAPTION, BETWEEN_ANSWERS, STOP)
_CUT_OFF = ("length", "content_filter")
"""Finish reasons of an answer that goes no further than it was let."""


def question(caption: str) -> Chat:
    """Return what is asked about a caption."""
    return (Message("user", caption + AFTER_CAPTION),)


def completion(edit: str, output: str) -> str:
    """Return the answer that a model is taught, its end included."""
    return f"{edit}{BETWEEN_ANSWERS}{output}{STOP}"


def read_answer(answer: ChatAnswer) -> tuple[str, str]:
    """Return the instruction and the edited caption of an answer, each on one line.

    Raises:
        Rejection: the model did not answer, was cut off, or what it wrote are not two answers.
    """
    check_answered(answer)
    # An endpoint that takes no stop goes on behind it.
    text, stop, _ = answer.text.partition(STOP)
    if answer.finish_reason in _CUT_OFF and not stop:
        raise Rejection("answer cut off", f"{answer.finish_reason}, after {answer.completion_tokens} tokens")
    parts = text.split(BETWEEN_ANSWERS)
    if len(parts) == 1:
        raise Rejection("no delimiter", shown(text))
    if len(parts) > 2:
        raise Rejection("more than two answers", shown(text))
    if mark := next((mark for part in parts if (mark := mark_inside(part))), None):
        raise Rejection("delimiter inside", repr(mark))
    edit, output = (" ".join(part.split()) for part in parts)
    for name, value in (("instruction", edit), ("edited caption", output)):
        check_text(name, value)
    return edit, output


def check_text(name: str, text: str) -> None:
    """Raise Rejection for a text that is empty or holds what cannot be shown."""
    if not text:
        raise Rejection(f"empty {name}")
    if not text.isprintable():
        raise Rejection(f"control characters in {name}", shown(text))


def mark_inside(text: str) -> str | None:
    """Return the mark that a text holds, or makes with the line breaks of marks beside it; None where it does not."""
    within = {AFTER_CAPTION: f"\n{text}\n", BETWEEN_ANSWERS: f"\n{text}\n", STOP: text}
    return next((mark for mark in MARKS if mark in within[mark]), None)


def is_same_caption(first: str, second: str) -> bool:
    """Return whether captions are equal, letter case and final punctuation aside."""
    return plain_text(first) == plain_text(second)


def shown(text: str) -> str:
    """Return the beginning of what a model wrote, for a rejection."""
    return repr(text[:160])
