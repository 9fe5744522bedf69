"""What a training of embedded models is: its settings, and one run of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from editfoundry.pretrained.runtime import Runtime
from editfoundry.pretraining.model_trainee import PretrainingConfig, PretrainingResult
from editfoundry.profiles import Profile

Save = Callable[[Path], dict[str, int]]
"""Saves a trained model into a folder and returns its parameter counts by part."""
Trained = tuple[dict[str, Save], PretrainingResult]
"""Role -> what saves its model, and what the training took."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One training of embedded models: with what, from what, where."""

    work_dir: Path
    """Caches, checkpoints and the trained autoencoder."""
    device: torch.device
    config: PretrainingConfig
    models: Profile
    """The embedded models that are there already, of which some start from others."""
    shipped: Path | None = None
    """A model to train on, where one is continued."""
    num_examples: int | None = None
    """Pictures, pairs or edits to learn from; by default each recipe's own number."""
    examples: Mapping[str, int] = field(default_factory=dict)
    """Those numbers where the device wants others than the recipe's, by the recipe's names for them."""

    def sizes(self, *names: str) -> dict[str, int]:
        """Return a recipe's arguments of these names: ``num_examples``, where it is told."""
        return dict(self.examples) if self.num_examples is None else dict.fromkeys(names, self.num_examples)

    @property
    def runtime(self) -> Runtime:
        """Device and full precision, in which weights are trained."""
        return Runtime(self.device, torch.float32)


@dataclass(frozen=True, kw_only=True)
class Pretraining:
    """How one or two of the embedded models are trained, and when in a training of all of them."""

    config: PretrainingConfig
    train: Callable[[Job], Trained]
    after: tuple[str, ...] = ()
    """Pretrainings whose models it starts from."""
    over_by: float
    """Share of the time of a suite, see `suite`, by which it has to be over."""
    on_gpu: Mapping[str, Any] = field(default_factory=dict)
    """Settings that suit a GPU, in the place of ``config``'s."""
    continued_role: str | None = None
    """Role whose shipped model can be trained on, where one can."""
    continued_rate: float = 1.0
    """Share of the learning rate that training on takes."""
    examples_on_gpu: Mapping[str, int] = field(default_factory=dict)
    """Numbers of examples that suit a GPU, in the place of the recipe's own, by its names for them."""
    draw: Callable[..., object] | None = None
    """``(work_dir, **numbers of examples)``: draws what can be drawn before there are the models it starts from; the
    numbers are those of ``examples_on_gpu``."""
    after_warm: tuple[str, ...] | None = None
    """Those of ``after`` that it waits for in a suite which starts from what is shipped; by default all."""
    draws_on: bool = False
    """Whether ``draw`` takes a ``data_seed``, since what is trained on learns from other examples."""
    can_warm_start: bool = False
    """Whether a suite can start it from what is shipped: where that need not fit what the suite trained before."""
    is_only_named: bool = False
    """Whether it is trained only where it is named: what shipped models are compared with, and what makes one of them
    better."""

    def config_on(self, device: torch.device) -> PretrainingConfig:
        """Return its settings on a kind of device."""
        return replace(self.config, **self.on_gpu) if device.type == "cuda" else self.config

    def examples_on(self, device: torch.device) -> Mapping[str, int]:
        """Return the numbers of examples that are others than the recipe's own on a kind of device."""
        return self.examples_on_gpu if device.type == "cuda" else {}
