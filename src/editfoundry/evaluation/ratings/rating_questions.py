"""What a person is asked about an edit, and about two edits of one picture (Imagen Editor, section 4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Scale = Literal["nominal", "ordinal"]
TaskKind = Literal["edit", "pair"]


@dataclass(frozen=True, kw_only=True)
class RatingQuestion:
    """One question and its answers."""

    name: str
    label: str
    """As tables call it."""
    text: str
    """As the sheet asks it."""
    about: TaskKind
    """One edit, or two beside each other."""
    answers: Mapping[str, str]
    """Answer as files have it -> as the sheet shows it."""
    values: Mapping[str, float]
    """Answer -> the number that is averaged: 1 for yes, the grade, or what the left one of a pair gets."""
    keys: Mapping[str, str]
    """Key of the keyboard -> answer."""
    scale: Scale = "nominal"
    """How far apart two answers are, for the agreement of raters."""


def _yes_or_no(name: str, label: str, text: str) -> RatingQuestion:
    return RatingQuestion(
        name=name,
        label=label,
        text=text,
        about="edit",
        answers={"yes": "Yes", "no": "No"},
        values={"yes": 1.0, "no": 0.0},
        keys={"y": "yes", "n": "no"},
    )


_GRADES = {"1": "1 unusable", "2": "2", "3": "3 flawed", "4": "4", "5": "5 flawless"}
PREFERENCE = RatingQuestion(
    name="preference",
    label="Preferred",
    text="Which of the two does what is asked for better?",
    about="pair",
    answers={"left": "Left", "equal": "No difference", "right": "Right"},
    values={"left": 1.0, "equal": 0.5, "right": 0.0},
    keys={"a": "left", "s": "equal", "d": "right"},
)
QUESTIONS = (
    _yes_or_no("object", "Object", "Is everything there that the prompt names?"),
    _yes_or_no("attributes", "Attributes", "Does it show every colour, shape, size and number that is named?"),
    _yes_or_no("binding", "Binding", "Does each of these belong to the thing that the prompt says has it?"),
    RatingQuestion(
        name="quality",
        label="Image quality",
        text="How good is the picture, whatever it shows?",
        about="edit",
        answers=_GRADES,
        values={grade: float(grade) for grade in _GRADES},
        keys={grade: grade for grade in _GRADES},
        scale="ordinal",
    ),
    PREFERENCE,
)
"""In the order in which they are asked."""
BY_NAME = {question.name: question for question in QUESTIONS}
