"""How far a stage is: records done of records in all."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Called with records done and records in all."""


class StageProgress:
    """Adds up what shards tell, and passes on a number that never falls and reaches the total once."""

    def __init__(self, progress: Progress | None, total: int | None) -> None:
        """Without a known ``total``, or where that is nothing, nothing is told."""
        self._progress, self._total = progress, total
        self._complete = 0
        self._within: dict[str, int] = {}
        self._told = -1

    def within(self, name: str, size: int, done: int) -> None:
        """Note that so many records of a shard are done."""
        self._within[name] = max(self._within.get(name, 0), min(done, size))
        self._tell()

    def complete(self, name: str, size: int) -> None:
        """Note that a shard is there."""
        self._within.pop(name, None)
        self._complete += size
        self._tell()

    def _tell(self) -> None:
        if self._progress is None or not self._total:
            return
        done = self._complete + sum(self._within.values())
        # The same number is told again as a sign of life, but the last one once.
        if done < self._total or self._told < done:
            self._progress(done, self._total)
        self._told = done


class DoneSoFar:
    """Tells how many records are done, and the same number again as a sign of life."""

    def __init__(self, tell: Callable[[int], None]) -> None:
        self._tell, self._done = tell, 0

    def tell(self, done: int) -> None:
        """Tell a number."""
        self._done = done
        self._tell(done)

    def tell_again(self) -> None:
        """Tell the last number again."""
        self._tell(self._done)
