"""What the loop is handed to train: a model with its data, its loss and its way to save itself.

The loop knows no model and no data set. A family of editors, or a recipe of pretraining, gives a configuration, which
tells what the training depends on without loading anything, and a function that loads the `Trainee`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor, nn

Modules = Sequence[nn.Module]
"""The trained modules in the order of `Trainee.parts`, as Accelerate wrapped them."""


@dataclass(frozen=True)
class TrainedPart:
    """One module that is trained."""

    module: nn.Module
    """On its device; those of its parameters that require gradients are trained."""
    learning_rate_scale: float = 1.0
    """Factor of the configuration's learning rate, so that parts can learn at different rates."""
    is_averaged: bool = True
    """Whether the finished checkpoint gets the running average of its weights, where ``use_ema`` is on."""


@dataclass(frozen=True)
class Validation:
    """Samples of one size whose loss is measured at intervals, always with the same random numbers."""

    batch: Callable[[slice], Any]
    """Reads some of the samples."""
    num_samples: int
    loss: Callable[[Modules, Any], Tensor]
    """The mean loss of a batch, a scalar."""


class Trainee(Protocol):
    """A loaded model that can be stepped."""

    @property
    def parts(self) -> Sequence[TrainedPart]:
        """The modules to train, on their devices."""

    @property
    def data_description(self) -> str:
        """What it learns from, for a log line, for example ``227 triplets``."""

    @property
    def likely_fault(self) -> str:
        """What to look for where the loss is no number, for example ``broken images in data/train``."""

    def batch(self, step: int, part: slice) -> Any:
        """Draw and read some of the ``batch_size`` samples of step ``step`` (from 0).

        They depend on the seed, the step and their place in it alone. Called ahead of time, in a thread of its own: it
        uses neither the models nor torch's global random numbers, and leaves what it read on the CPU, in pinned memory
        where it will be copied to a GPU.
        """

    def loss(self, modules: Modules, batch: Any) -> Tensor:
        """Return the mean loss of ``batch``, a scalar on the device, under the loop's autocast."""

    def validation(self) -> Sequence[Validation]:
        """Return what to validate on, if anything: one for each size of the samples; their losses are averaged."""

    def write_samples(self, path: Path) -> None:
        """Write a picture of what the model makes with its present weights; only called where ``sample_every`` is."""

    def save(self, folder: Path, whole: Sequence[Mapping[str, Tensor]] | None) -> None:
        """Write the finished checkpoint into an empty folder; called again, into another, where the disk was full.

        Args:
            folder: takes the place of ``output`` afterwards.
            whole: the parts' weights where the modules hold only shares of them (FSDP), else None.
        """

    def facts(self) -> dict[str, Any]:
        """Return what the checkpoint's summary says of model and data, as JSON values."""
