"""How the judge is asked; light to import, since parameters are read everywhere."""

from __future__ import annotations

from dataclasses import dataclass, field

from editfoundry.data.hashing import ONLY_WHEN_SET
from editfoundry.errors import BadInputError

ANSWERS = ("probabilities", "text")


@dataclass(frozen=True, kw_only=True)
class JudgeConfig:
    """How the judge is asked."""

    answers: str = "probabilities"
    """``probabilities``: a score is the expected value over the answer tokens; ``text``: the number it writes."""
    descriptions: bool = True
    """Let it describe each picture first, and tell it with every question what it saw: what is said in words is easier
    to compare with a caption than a picture is."""
    captions: bool = True
    """Score too how well the captions fit the pictures, by how probable it finds them beside its own descriptions;
    nothing where ``descriptions`` is off."""
    reasons: bool = True
    """Let it write a short reason for each score; with ``probabilities`` that takes a second, longer pass."""
    max_new_tokens: int = 40
    """Tokens of a written answer or description."""
    repeat_share: float = field(default=0.0, metadata=ONLY_WHEN_SET)
    """Share of the triplets, chosen by their ids, that are judged twice, to tell how much a judgement varies; what
    `score` reports as ``judge_noise``."""

    @property
    def scores_captions(self) -> bool:
        """Whether captions are scored."""
        return self.captions and self.descriptions

    def __post_init__(self) -> None:
        if self.answers not in ANSWERS:
            raise BadInputError(f"judge answers is {self.answers!r}; use {' or '.join(ANSWERS)}")
        if self.max_new_tokens < 1:
            raise BadInputError(f"max_new_tokens is {self.max_new_tokens}; it must be at least 1")
        if not 0 <= self.repeat_share <= 1:
            raise BadInputError(f"repeat_share is {self.repeat_share}; it is a share, from 0 to 1")
