"""How much of what was made is kept: by task and by reason, as it lies on disk."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from editfoundry.data.rejections import read_rejections
from editfoundry.data.shards import read_fields


@dataclass(frozen=True)
class TaskShare:
    """One task's pairs."""

    task: str
    num_kept: int
    """Pairs that are kept."""
    dropped: Counter[str] = field(default_factory=Counter)
    """Reason -> candidates, and edits that had none, that fell for it."""

    @property
    def share(self) -> float:
        """Kept, of all that was made or was to be made."""
        return self.num_kept / max(1, self.num_kept + self.dropped.total())


def shares_by_task(folder: Path) -> list[TaskShare]:
    """Return the shares of every task that anything was made for, or was to be, by name."""
    kept = Counter(row["task"] for row in read_fields(folder))
    dropped: dict[str, Counter[str]] = {}
    for row in read_rejections(folder):
        dropped.setdefault(str(row.row.get("task", "")), Counter())[row.reason] += 1
    return [TaskShare(task, kept[task], dropped.get(task, Counter())) for task in sorted({*kept, *dropped})]
