"""Trains one small model in this process, through the project's loop.

Each step's batch depends on the seed and the step's number alone, so a run that is killed goes on from its last
checkpoint as if it had never stopped.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from editfoundry.training.loop import train
from editfoundry.training.loop_config import LoopConfig
from editfoundry.training.trainee import Modules, TrainedPart, Validation

_RECENT_STEPS = 100
"""Steps whose mean loss a card tells."""


@dataclass(frozen=True, kw_only=True)
class PretrainingConfig(LoopConfig):
    """The loop's settings, with the defaults that suit small models on tinyworld."""

    output: Path = Path()
    """Folder of the finished weights; `fit` fills it in."""
    learning_rate: float = 1e-3
    """Peak rate of AdamW; warmed up linearly, then decayed along a cosine to a fiftieth."""
    lr_end_share: float = 0.02
    num_warmup_steps: int = 100
    adam_beta2: float = 0.99
    ema_decay: float = 0.998
    ema_update_after_step: int = -1
    checkpoint_every_seconds: float | None = 120.0
    num_checkpoints: int = 1
    log_every: int = 20
    mlflow_experiment: str = "pretrain"
    starting_weights: str = ""
    """Hash of the weights that training starts from; `fit` fills it in."""


@dataclass(frozen=True)
class PretrainingResult:
    """What a finished training tells the model's card."""

    num_steps: int
    seconds: float
    """Training time, summed over interrupted runs."""
    final_loss: float
    """Mean loss of the last 100 steps."""

    @classmethod
    def of_summary(cls, summary: Mapping[str, Any]) -> PretrainingResult:
        """Read it from the content of a ``training.json``."""
        num_steps, starts, total, count = summary["num_steps"], 0, 0.0, 0
        for step, loss in summary["loss_curve"]:
            if step > num_steps - _RECENT_STEPS:
                total, count = total + loss * (step - starts), count + step - starts
            starts = step
        return cls(num_steps, summary["seconds"], total / max(1, count))


StepLoss = Callable[[Any, torch.Generator], Tensor]


def fit(model: nn.Module, step_loss: StepLoss, config: PretrainingConfig, folder: Path) -> PretrainingResult:
    """Train ``model`` in place and leave the averaged weights in it; nothing is done where that was done before.

    Args:
        model: module to train, on its device.
        step_loss: ``(model, generator) -> scalar loss``; draws the step's whole batch from ``generator`` (CPU).
        config: schedule and optimizer.
        folder: gets the finished weights, and the loop's state on the way.

    Raises:
        BadInputError: ``folder`` holds the state of a training with other settings or starting weights.
    """
    settings = replace(config, output=folder, starting_weights=weights_hash(model))
    summary = train(settings, lambda chosen, _: ModelTrainee(model, step_loss, chosen))
    model.load_state_dict(load_file(folder / settings.CHECKPOINT_FILE))
    return PretrainingResult.of_summary(summary)


def start_from(model: Any, shipped: Path) -> None:
    """Give a model of transformers the weights of a shipped one of the same configuration."""
    model.load_state_dict(type(model).from_pretrained(shipped, dtype=torch.float32).state_dict())


def first_part(config: PretrainingConfig, following: PretrainingConfig, share: float) -> PretrainingConfig:
    """Return ``config``, of what is trained before ``following``, with that one's precision and a share of its time."""
    ends_at = following.ends_at
    if ends_at is not None:
        ends_at = time.time() + share * (ends_at - time.time())
    return replace(config, mixed_precision=following.mixed_precision, ends_at=ends_at)


@dataclass(frozen=True)
class ModelTrainee:
    """One module and the loss of a step; see `training.trainee.Trainee`."""

    model: nn.Module
    step_loss: StepLoss
    config: PretrainingConfig

    @property
    def parts(self) -> list[TrainedPart]:
        """The module."""
        return [TrainedPart(self.model)]

    @property
    def data_description(self) -> str:
        """For a log line."""
        return "tinyworld"

    @property
    def likely_fault(self) -> str:
        """What spoils a loss."""
        return "a fault in the recipe's loss"

    def batch(self, step: int, part: slice) -> torch.Generator:
        """Return the step's random numbers, of which these losses draw all samples: one process, one part."""
        return torch.Generator().manual_seed(self.config.seed * 1_000_003 + step)

    def loss(self, modules: Modules, batch: torch.Generator) -> Tensor:
        """Return the loss of a whole batch."""
        return self.step_loss(modules[0], batch)

    def validation(self) -> Sequence[Validation]:
        """Return nothing: shipped models are measured on held-out scenes afterwards."""
        return ()

    def write_samples(self, path: Path) -> None:
        """Write nothing."""

    def save(self, folder: Path, whole: Sequence[Mapping[str, Tensor]] | None) -> None:
        """Write the module's weights; tied ones several times."""
        weights = self.model.state_dict() if whole is None else whole[0]
        copies = {name: value.detach().contiguous().cpu().clone() for name, value in weights.items()}
        save_file(copies, folder / self.config.CHECKPOINT_FILE)

    def facts(self) -> dict[str, Any]:
        """Return nothing more than the settings say."""
        return {}


def weights_hash(model: nn.Module) -> str:
    """Return the SHA-256 of a model's weights and their names, in hex."""
    digest = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().contiguous().cpu().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
