"""The errors that a person causes and can mend; everything else is a fault of ours and shows its traceback."""

from __future__ import annotations

from collections.abc import Sequence


class BadInputError(ValueError):
    """Input or usage is wrong. The message is one line: which file, which row, what is wrong, what to do."""


class SeveralBadInputsError(BadInputError):
    """Several things are wrong, each told in a line of its own."""

    def __init__(self, problems: Sequence[str]) -> None:
        """``problems`` has a line for each."""
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


class MissingModelError(BadInputError):
    """A profile names a model that is not on this machine."""


class OutOfMemoryError(BadInputError):
    """One record alone does not fit into the memory of the device: a smaller picture, a smaller model, or another."""


class UnavailableError(Exception):
    """A service did not answer for now. The message is one line; running the same command again goes on from there."""


class NoSpaceError(UnavailableError):
    """A disk is full, or a quota used up. The message names the path; once there is room, the same command goes on."""


class Rejection(Exception):
    """One record cannot be used; the rest goes on."""

    def __init__(self, reason: str, detail: str = "") -> None:
        """``reason`` is a short constant to count by; ``detail`` tells this record's particulars."""
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


def refuse(problems: Sequence[str]) -> None:
    """Raise BadInputError where there are problems, one line for each."""
    if problems:
        raise BadInputError(problems[0]) if len(problems) == 1 else SeveralBadInputsError(problems)


def problems_of(error: BadInputError) -> tuple[str, ...]:
    """Return the problems that an error tells, one line each."""
    return error.problems if isinstance(error, SeveralBadInputsError) else (one_line(error),)


def one_line(error: object, max_characters: int | None = None) -> str:
    """Return an error's message on one line, or its type where it has none; a long one ends between two words."""
    text = " ".join(str(error).split()) or type(error).__name__
    if max_characters is None or len(text) <= max_characters:
        return text
    return text[:max_characters].rsplit(" ", 1)[0] + " ..."
