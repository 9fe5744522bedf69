"""The loss on data that is not trained on, shared out among the processes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from editfoundry.training.trainee import Modules, Validation


@contextmanager
def evaluating(modules: Sequence[nn.Module]) -> Iterator[None]:
    """Turn dropout off inside the ``with`` block."""
    before = [module.training for module in modules]
    for module in modules:
        module.eval()
    try:
        yield
    finally:
        for module, was_training in zip(modules, before, strict=True):
            module.train(was_training)


@torch.no_grad()
def validation_loss(
    validations: Sequence[Validation], modules: Modules, accelerator: Accelerator, part_size: int
) -> float:
    """Return the mean loss over all samples; every process calls this at once.

    Args:
        validations: the same on every process.
        modules: as Accelerate wrapped them.
        accelerator: shares the samples out.
        part_size: samples that go through the model together.
    """
    total = torch.zeros(2, device=accelerator.device)
    for validation in validations:
        total += _summed(validation, modules, accelerator, part_size)
    summed, number = accelerator.reduce(total, "sum").tolist()
    return float(summed / number)


def _summed(validation: Validation, modules: Modules, accelerator: Accelerator, part_size: int) -> Tensor:
    """Return this process's sum of losses and number of samples, ``(2,)``."""
    size, rank, count = validation.num_samples, accelerator.process_index, accelerator.num_processes
    total = torch.zeros(2, device=accelerator.device)
    # Every process runs as often as the others, which sharded weights need.
    for start in range(0, size, part_size * count):
        begin = min(start + rank * part_size, size - 1)
        end = min(begin + part_size, size)
        counts = start + rank * part_size < size
        with accelerator.autocast():
            loss = validation.loss(modules, validation.batch(slice(begin, end)))
        total += torch.stack([loss.float(), torch.ones_like(loss)]) * (end - begin) * counts
    return total
