"""AdamW, fused or with its state in eight bits, and the learning rate of each step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from editfoundry.errors import BadInputError
from editfoundry.training.loop_config import LoopConfig
from editfoundry.training.trainee import TrainedPart

_BETA1 = 0.9


def make_optimizer(config: LoopConfig, parts: Sequence[TrainedPart]) -> Any:
    """Return the optimizer that ``config.optimizer`` names, one group for each of the parts' learning rates.

    Raises:
        BadInputError: 8-bit Adam without the package bitsandbytes, or without a GPU.
    """
    scales = dict.fromkeys(part.learning_rate_scale for part in parts)
    groups = [
        {"params": [p for part in parts if part.learning_rate_scale == scale for p in trainable(part.module)]}
        for scale in scales
    ]
    options: dict[str, Any] = {
        "lr": config.learning_rate,
        "betas": (_BETA1, config.adam_beta2),
        "weight_decay": config.weight_decay,
    }
    if config.optimizer == "adamw":
        return torch.optim.AdamW(groups, fused=True, **options)
    try:
        from bitsandbytes.optim import AdamW8bit
    except ImportError as error:
        raise BadInputError(
            "optimizer is 'adamw_8bit', which needs the package bitsandbytes: pip install bitsandbytes, or set adamw"
        ) from error
    if not torch.cuda.is_available():
        raise BadInputError("optimizer is 'adamw_8bit', which needs a GPU: set adamw here")
    return AdamW8bit(groups, **options)


def set_learning_rate(optimizer: Any, parts: Sequence[TrainedPart], rate: float) -> None:
    """Set the rate of every group that `make_optimizer` made, each times its parts' scale."""
    scales = dict.fromkeys(part.learning_rate_scale for part in parts)
    for group, scale in zip(optimizer.param_groups, scales, strict=True):
        group["lr"] = rate * scale


def trainable(module: nn.Module) -> list[nn.Parameter]:
    """Return the parameters that training changes."""
    return [parameter for parameter in module.parameters() if parameter.requires_grad]


def learning_rate(config: LoopConfig, step: int, share: float | None = None) -> float:
    """Return the rate of step ``step`` (from 0): linear warm-up, then the schedule.

    ``share`` of the schedule is done, where that is not told by the step alone.
    """
    if step < config.num_warmup_steps:
        return config.learning_rate * (step + 1) / config.num_warmup_steps
    if config.lr_schedule == "constant":
        return config.learning_rate
    reached = step if share is None else max(share * config.num_steps, config.num_warmup_steps)
    done = (reached - config.num_warmup_steps) / max(1, config.num_steps - config.num_warmup_steps)
    falling = 1 - done if config.lr_schedule == "linear" else 0.5 * (1 + math.cos(math.pi * done))
    return config.learning_rate * (config.lr_end_share + (1 - config.lr_end_share) * falling)
