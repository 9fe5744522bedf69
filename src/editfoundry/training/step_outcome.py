"""What a step came to, brought to the host without holding up the GPU."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from accelerate import Accelerator
from torch import Tensor
from torch.distributed.tensor import DTensor


@dataclass(frozen=True)
class StepOutcome:
    """A step as all processes agree on it."""

    loss: float
    """Mean over the batch."""
    gradient_norm: float
    """Before it was clipped; 0 where nobody took it."""
    stop: bool
    """Whether any process was told to stop."""
    save: bool
    """Whether the clock of any process says that a checkpoint is due."""


class LaunchedStep:
    """A step that the GPU may still be at work on."""

    def __init__(
        self,
        accelerator: Accelerator,
        losses: Sequence[Tensor],
        gradient_norm: Tensor | float | None,
        stop: bool,
        save: bool,
    ) -> None:
        """Average over all processes, which must all call this, and start to bring the result to the host.

        Args:
            accelerator: of the training.
            losses: this process's of each part of its share of the batch, scalars on the device.
            gradient_norm: what clipping returned.
            stop: whether this process was told to stop.
            save: whether by this process's clock a checkpoint is due.
        """
        norm = gradient_norm.full_tensor() if isinstance(gradient_norm, DTensor) else gradient_norm
        flags = torch.tensor([float(stop), float(save), 0.0 if isinstance(norm, Tensor) else float(norm or 0)])
        device = losses[0].device
        if device.type == "cuda":
            flags = flags.pin_memory()
        # Not every kind of device has float64.
        flags = flags.to(device, torch.float32 if device.type == "mps" else torch.float64, non_blocking=True)
        last = norm.detach().to(flags).reshape(1) if isinstance(norm, Tensor) else flags[2:]
        loss = torch.stack([part.detach() for part in losses]).to(flags).mean().reshape(1)
        values = accelerator.reduce(torch.cat([loss, flags[:2], last]), "mean")
        self._arrived: torch.cuda.Event | None = None
        if device.type == "cuda":
            on_host = torch.empty(values.shape, dtype=values.dtype, pin_memory=True)
            on_host.copy_(values, non_blocking=True)
            self._arrived = torch.cuda.Event()
            self._arrived.record()
            values = on_host
        self._values = values

    def outcome(self) -> StepOutcome:
        """Wait until the step is done."""
        if self._arrived is not None:
            self._arrived.synchronize()
        loss, stop, save, norm = self._values.tolist()
        return StepOutcome(loss, norm, stop > 0, save > 0)
