"""What the judge is asked. Whoever changes a word here raises ``PROMPT_VERSION``: provenance records it."""

from __future__ import annotations

from dataclasses import dataclass

PROMPT_VERSION = "2"
MAX_TEXT_LENGTH = 500
"""Characters of a caption or an instruction that are shown to the judge."""
DESCRIBE = "Describe this picture."
"""What it is asked of each picture alone, before the questions."""
_SCALE = "Answer with one number from 1 to 5, then a short reason."
_PAIR = "The picture before the edit comes first or on the left, the picture after it second or on the right."


@dataclass(frozen=True, kw_only=True)
class Question:
    """One thing that the judge is asked about an edit."""

    name: str
    task: str
    """What is shown and asked."""
    closing: str
    """How to answer."""
    choices: tuple[str, ...]
    """The numbers it may answer with, lowest first."""
    shows_input: bool
    """Whether it sees the picture before the edit too."""
    tells_texts: bool
    """Whether it is told captions and instruction."""


QUESTIONS = (
    Question(
        name="semantic_alignment",
        task=f"{_PAIR} Does the picture after the edit show exactly what the instruction makes of the picture before? "
        "1 means nothing happened or something else did, 3 means in part, 5 means exactly.",
        closing=_SCALE,
        choices=("1", "2", "3", "4", "5"),
        shows_input=True,
        tells_texts=True,
    ),
    Question(
        name="identity_consistency",
        task=f"{_PAIR} Apart from what the instruction must change, is everything still the same: the same things, "
        "the same places, the same background? 1 means another picture, 3 means one thing differs, 5 means all the "
        "same.",
        closing=_SCALE,
        choices=("1", "2", "3", "4", "5"),
        shows_input=True,
        tells_texts=True,
    ),
    Question(
        name="image_quality",
        task="How good is this picture, whatever it shows: sharp, clean, without noise and broken shapes? "
        "1 means unusable, 3 means visibly flawed, 5 means flawless.",
        closing=_SCALE,
        choices=("1", "2", "3", "4", "5"),
        shows_input=False,
        tells_texts=False,
    ),
    Question(
        name="success",
        task="This is a picture after an edit. Given what it showed before, the instruction and what it must show "
        "now, is the edit successful?",
        closing="Answer 1 for yes or 0 for no.",
        choices=("0", "1"),
        shows_input=False,
        tells_texts=True,
    ),
)
"""Three scales, and the one-bit question of EditWorld's MLLM score (section 5)."""

FACTS = ("Shown before:", "Instruction:", "Must show after:", "Seen before:", "Seen after:")
"""What stands before input caption, instruction, output caption, and what the judge itself said of each picture."""


def question_text(
    question: Question, input_caption: str, instruction: str, output_caption: str, seen: tuple[str, str] = ("", "")
) -> str:
    """Return the prompt; a text that is empty gets no line, and a long one is cut.

    ``seen`` is what the judge itself said of the pictures before and after the edit.
    """
    before = seen[0] if question.shows_input else ""
    texts = (input_caption, instruction, output_caption, before, seen[1]) if question.tells_texts else ()
    facts = [f"{title} {_one_line(text)}" for title, text in zip(FACTS, texts, strict=False) if text.strip()]
    return "\n".join([question.task, *facts, question.closing])


def fixed_texts() -> tuple[str, ...]:
    """Return every text that is the same in all prompts, for tokenizers that learn them by heart."""
    return tuple(dict.fromkeys([*(q.task for q in QUESTIONS), *FACTS, *(q.closing for q in QUESTIONS), DESCRIBE]))


def _one_line(text: str) -> str:
    return " ".join(text.split())[:MAX_TEXT_LENGTH]
