"""What a run has seen so far: the loss of each step, and the time it took."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

FILE_NAME = "history.json"


@dataclass
class History:
    """Goes on across interruptions."""

    run_hash: str
    """See `fingerprint.run_hash`."""
    step: int = 0
    """Optimizer steps done."""
    seconds: float = 0.0
    """Time in the loop, over all its parts."""
    share: float = 0.0
    """Of the schedule that is done; see `schedule`."""
    losses: list[float] = field(default_factory=list)
    """Loss of each step."""
    validation_losses: list[tuple[int, float]] = field(default_factory=list)
    """Step and loss of each validation."""

    def curve(self, every: int) -> list[tuple[int, float]]:
        """Return (step, mean loss of the ``every`` steps up to it)."""
        starts = range(0, len(self.losses), every)
        parts = [self.losses[start : start + every] for start in starts]
        return [(start + len(part), sum(part) / len(part)) for start, part in zip(starts, parts, strict=True)]

    def summary(self, batch_size: int, every: int) -> dict[str, Any]:
        """Return what a checkpoint tells of its training."""
        return {
            "num_steps": self.step,
            "seconds": round(self.seconds, 2),
            "samples_per_second": round(self.step * batch_size / self.seconds, 2) if self.seconds else 0.0,
            "final_loss": self.curve(every)[-1][1] if self.losses else None,
            "loss_curve": [[step, loss] for step, loss in self.curve(every)],
            **(
                {"validation_losses": [list(point) for point in self.validation_losses]}
                if self.validation_losses
                else {}
            ),
        }

    def save(self, folder: Path) -> None:
        """Write it into a resumable checkpoint."""
        (folder / FILE_NAME).write_text(json.dumps(asdict(self)))

    @classmethod
    def load(cls, folder: Path) -> History:
        """Read what `save` wrote."""
        return cls(**json.loads((folder / FILE_NAME).read_text()))
