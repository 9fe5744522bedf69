"""Asks the moderator through a journal, so that no text is moderated twice and a stopped run goes on the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

from editfoundry.data.hashing import input_hash
from editfoundry.errors import Rejection
from editfoundry.pretrained.chat import ChatAnswer
from editfoundry.pretrained.journal import SUFFIX, Journal
from editfoundry.pretrained.moderator import Moderator

TEXTS_PER_CALL = 256

LoadModerator = Callable[[], Moderator | None]
"""Gives the moderator, if there is one; called when something must be moderated, and cheap from the second time on."""


def moderation_journal_path(shard: Path) -> Path:
    """Return where a shard's journal is: ``00000.moderation.journal.jsonl`` for ``00000.parquet``."""
    return shard.with_name(f"{shard.name.split('.')[0]}.moderation{SUFFIX}")


class Moderating:
    """Moderates for one shard; without a moderator nothing is flagged."""

    def __init__(self, load: LoadModerator, name: str, shard: Path) -> None:
        """``name`` tells the moderator from others; it is empty where there is none."""
        self._load, self._name = load, name
        self._journal = Journal(moderation_journal_path(shard)) if name else None

    def __enter__(self) -> Moderating:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._journal is not None:
            self._journal.close()

    def verdicts(self, texts: Sequence[str]) -> list[Rejection | None]:
        """Return for each text why it cannot be used, None where it can.

        Raises:
            UnavailableError: the moderator did not answer for now.
        """
        journal = self._journal
        if journal is None:
            return [None] * len(texts)
        keys = [input_hash("moderation", self._name, text) for text in texts]
        unknown = [(key, text) for key, text in dict(zip(keys, texts, strict=True)).items() if journal.get(key) is None]
        for start in range(0, len(unknown), TEXTS_PER_CALL):
            self._ask(journal, unknown[start : start + TEXTS_PER_CALL])
        flags = [answer.text for key in keys if (answer := journal.get(key)) is not None]
        return [
            Rejection("flagged", f"{text[:120]!r}: {f}") if f else None for text, f in zip(texts, flags, strict=True)
        ]

    def _ask(self, journal: Journal, unknown: Sequence[tuple[str, str]]) -> None:
        moderator = self._load()
        assert moderator is not None
        for (key, _), flag in zip(unknown, moderator.flags([text for _, text in unknown]), strict=True):
            journal.add(key, ChatAnswer(text=flag, finish_reason="stop"))
        journal.sync()
