"""AdamW, fused or with its state in eight bits."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from editfoundry.errors import BadInputError
from editfoundry.training.config import TrainingConfig


def make_optimizer(config: TrainingConfig, parameters: Iterable[nn.Parameter]) -> Any:
    """Return the optimizer that ``config.optimizer`` names.

    Raises:
        BadInputError: 8-bit Adam without the package bitsandbytes, or without a GPU.
    """
    options: dict[str, Any] = {"lr": config.learning_rate, "weight_decay": config.weight_decay}
    if config.optimizer == "adamw":
        return torch.optim.AdamW(parameters, fused=True, **options)
    try:
        from bitsandbytes.optim import AdamW8bit
    except ImportError as error:
        raise BadInputError(
            "optimizer is 'adamw_8bit', which needs the package bitsandbytes: pip install bitsandbytes, or set adamw"
        ) from error
    if not torch.cuda.is_available():
        raise BadInputError("optimizer is 'adamw_8bit', which needs a GPU: set adamw here")
    return AdamW8bit(parameters, **options)
