"""The running average of the trained weights: kept, saved without pickling, and looked at for a while."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

_FILE_NAME = "average_{}.safetensors"
_NUMBERS_AT_ONCE = 2**26
"""Of which the difference to the average takes 256 MiB for a moment."""


class RunningAverage:
    """An exponential average whose decay grows with the steps, as diffusers' ``EMAModel`` computes it.

    Many weights are averaged by one launch on their device. On the CPU the average takes no GPU memory, for a copy of
    the weights at every step.
    """

    def __init__(
        self, parameters: Sequence[nn.Parameter], decay: float, update_after_step: int, on_cpu: bool = False
    ) -> None:
        """Start at ``parameters``; the decay grows from 0 to at most ``decay`` a step, beginning after a step."""
        self.decay, self.update_after_step = decay, update_after_step
        self.num_steps = 0
        self.weights = [_local(parameter).clone() for parameter in parameters]
        """This process's share of each, where weights are sharded."""
        if on_cpu:
            self.weights = [kept.cpu() for kept in self.weights]

    def step(self, parameters: Sequence[nn.Parameter]) -> None:
        """Move towards ``parameters``, the same ones as at the start."""
        self.num_steps += 1
        share = 1 - self._present_decay()
        for kept, now in _grouped(self.weights, parameters):
            on_its_device = [_local(parameter).to(weights.device) for weights, parameter in zip(kept, now, strict=True)]
            torch._foreach_sub_(kept, torch._foreach_sub(kept, on_its_device), alpha=share)

    def copy_to(self, parameters: Sequence[nn.Parameter]) -> None:
        """Let ``parameters`` have the average."""
        for parameter, kept in zip(parameters, self.weights, strict=True):
            _local(parameter).copy_(kept)

    def save(self, folder: Path, shard: int) -> None:
        """Write the average, or the part of it that this process has where weights are sharded."""
        tensors = {str(i): kept.contiguous() for i, kept in enumerate(self.weights)}
        save_file(tensors, folder / _FILE_NAME.format(shard), metadata={"num_steps": str(self.num_steps)})

    def load(self, folder: Path, shard: int) -> None:
        """Read what `save` wrote."""
        with safe_open(folder / _FILE_NAME.format(shard), "pt") as file:
            self.num_steps = int(file.metadata()["num_steps"])
            for number, kept in enumerate(self.weights):
                kept.copy_(file.get_tensor(str(number)))

    def _present_decay(self) -> float:
        step = self.num_steps - self.update_after_step - 1
        return min((1 + step) / (10 + step), self.decay) if step > 0 else 0.0


@contextmanager
def averaged_weights(average: RunningAverage | None, parameters: Sequence[nn.Parameter]) -> Iterator[None]:
    """Let ``parameters`` hold their average inside the ``with`` block."""
    if average is None:
        yield
        return
    kept = [parameter.detach().clone() for parameter in parameters]
    average.copy_to(parameters)
    try:
        yield
    finally:
        for parameter, value in zip(parameters, kept, strict=True):
            parameter.data.copy_(value)


def _grouped(
    weights: Sequence[Tensor], parameters: Sequence[nn.Parameter]
) -> Iterator[tuple[list[Tensor], list[nn.Parameter]]]:
    """Yield the average and the weights in parts, whose differences take little memory at once."""
    kept: list[Tensor] = []
    now: list[nn.Parameter] = []
    for one, parameter in zip(weights, parameters, strict=True):
        kept.append(one)
        now.append(parameter)
        if sum(map(Tensor.numel, kept)) >= _NUMBERS_AT_ONCE:
            yield kept, now
            kept, now = [], []
    if kept:
        yield kept, now


def _local(parameter: nn.Parameter) -> Tensor:
    """Return the memory of a weight, or of this process's share of it."""
    weights = parameter.detach()
    return weights.to_local() if isinstance(weights, DTensor) else weights
