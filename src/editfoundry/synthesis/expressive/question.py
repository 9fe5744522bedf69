"""What a vision-language model is asked about a picture that will be edited."""

from __future__ import annotations

PROMPT = 'what will this image be like if "{instruction}"'
"""MGIE, section 3.1."""
AT_LENGTH = " (in a short paragraph)"
"""What the question ends with where a model that was not trained to answer it makes training data."""


def question(instruction: str) -> str:
    """Return what an MGIE editor's language model is asked."""
    return PROMPT.format(instruction=instruction)


def long_question(instruction: str) -> str:
    """Return what a model is asked whose answer will be shortened."""
    return question(instruction) + AT_LENGTH
