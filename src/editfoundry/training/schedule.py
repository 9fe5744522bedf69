"""The learning rate of each step."""

from __future__ import annotations

import math

from editfoundry.training.config import TrainingConfig


def learning_rate(config: TrainingConfig, step: int) -> float:
    """Return the rate of step ``step`` (from 0): linear warm-up, then the schedule, most of them down to zero."""
    if step < config.num_warmup_steps:
        return config.learning_rate * (step + 1) / config.num_warmup_steps
    if config.lr_schedule == "constant":
        return config.learning_rate
    done = (step - config.num_warmup_steps) / max(1, config.num_steps - config.num_warmup_steps)
    if config.lr_schedule == "linear":
        return config.learning_rate * (1 - done)
    return config.learning_rate * 0.5 * (1 + math.cos(math.pi * done))
