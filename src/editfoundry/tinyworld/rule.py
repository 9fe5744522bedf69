"""One rule of tinyworld: ``(kind, state) + event -> new state``, with its world category and its wordings."""

from __future__ import annotations

from dataclasses import dataclass

from editfoundry.data.record import WORLD_CATEGORIES
from editfoundry.tinyworld.objects import KINDS


@dataclass(frozen=True, kw_only=True)
class Rule:
    """How one kind of object behaves when something happens to it."""

    kind: str
    before: str
    after: str
    category: str
    """One of EditWorld's seven categories."""
    wordings: tuple[str, ...]
    """Instructions seen in training."""
    held_out_wordings: tuple[str, ...]
    """Instructions of the same event, seen only in the test split."""
    trained: bool = True
    """False for the rules of ``test-new-rules``, whose kin are trained and which are not."""

    def __post_init__(self) -> None:
        states = KINDS[self.kind].states
        if self.before not in states or self.after not in states:
            raise ValueError(f"rule {self.name}: {self.kind!r} has the states {', '.join(states)}")
        if self.category not in WORLD_CATEGORIES:
            raise ValueError(f"rule {self.name}: {self.category!r} is not a world category")

    @property
    def name(self) -> str:
        """For example ``"egg: whole -> fried"``."""
        return f"{self.kind}: {self.before} -> {self.after}"
