"""How far a training is: by its steps or, where it has to be over at a time, by the clock, whichever is farther.

The learning rate follows this share, so that a run which is slower than thought ends as a whole one does, only shorter.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from editfoundry.training.loop_config import LoopConfig

Clock = Callable[[], float]
"""Unix time in seconds."""


@dataclass(frozen=True)
class Schedule:
    """One run of a training, from where it set out or was resumed."""

    config: LoopConfig
    started_at: float
    """Unix time."""
    started_with: float
    """Share that earlier runs had done."""
    clock: Clock = time.time

    @classmethod
    def start(cls, config: LoopConfig, done: float, clock: Clock = time.time) -> Schedule:
        """Begin, or go on from the share that was ``done``."""
        return cls(config, clock(), done, clock)

    def share(self, step: int) -> float:
        """Return the share in [0, 1] of the schedule that is done after ``step`` steps."""
        by_steps = step / self.config.num_steps
        if self.config.ends_at is None:
            return min(1.0, by_steps)
        left = self.config.ends_at - self.started_at
        passed = (self.clock() - self.started_at) / left if left > 0 else 1.0
        return min(1.0, max(by_steps, self.started_with + (1 - self.started_with) * passed))
