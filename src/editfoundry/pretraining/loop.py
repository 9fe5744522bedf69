"""The one resumable training loop that all embedded models share.

Each step's batch depends on the seed and the step's number alone, so a run that is killed goes on from its last
checkpoint as if it had never stopped.
"""

from __future__ import annotations

import copy
import logging
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class LoopConfig:
    """How long and how fast to train."""

    num_steps: int
    """Optimizer steps in all."""
    batch_size: int
    """Samples a step."""
    learning_rate: float = 1e-3
    """Peak rate of AdamW; warmed up linearly, then decayed along a cosine to a fiftieth."""
    num_warmup_steps: int = 100
    """Steps until the peak rate."""
    weight_decay: float = 0.01
    ema_decay: float = 0.998
    """Decay a step of the weight average that is shipped; lower in the first steps."""
    max_grad_norm: float = 1.0
    checkpoint_seconds: float = 120.0
    """Seconds between checkpoints."""
    seed: int = 0


@dataclass(frozen=True)
class LoopResult:
    """What a finished loop tells the model's card."""

    num_steps: int
    seconds: float
    """Training time, summed over interrupted runs."""
    final_loss: float
    """Mean loss of the last 100 steps."""


Batch = Callable[[int], Tensor]
StepLoss = Callable[[nn.Module, torch.Generator], Tensor]
Metric = Callable[[str, float, int], None]


def fit(
    model: nn.Module,
    step_loss: StepLoss,
    config: LoopConfig,
    checkpoint_dir: Path,
    log_metric: Metric | None = None,
) -> LoopResult:
    """Train ``model`` in place and leave the averaged weights in it.

    Args:
        model: module to train, on its device.
        step_loss: ``(model, generator) -> scalar loss``; draws the step's whole batch from ``generator`` (CPU).
        config: schedule and optimizer.
        checkpoint_dir: where the loop's state is saved, and looked for at the start.
        log_metric: called as ``log_metric(name, value, step)`` every 20 steps.
    """
    optimizer = torch.optim.AdamW(
        (p for p in model.parameters() if p.requires_grad),
        lr=config.learning_rate, weight_decay=config.weight_decay, betas=(0.9, 0.99), fused=True,
    )  # fmt: skip
    state = _State(model, optimizer, checkpoint_dir / "state.safetensors")
    state.restore()
    saved_at = started = time.monotonic()
    with _progress() as progress:
        bar = progress.add_task("training", total=config.num_steps, completed=state.step, loss="")
        while state.step < config.num_steps:
            loss = _one_step(model, step_loss, optimizer, config, state)
            if state.step % 20 == 0:
                if log_metric is not None:
                    log_metric("loss", state.mean_loss(), state.step)
                log.info("step %d/%d loss %.5f", state.step, config.num_steps, state.mean_loss())
            progress.update(bar, completed=state.step, loss=f"loss {loss:.4f}")
            if time.monotonic() - saved_at > config.checkpoint_seconds or state.step == config.num_steps:
                now = time.monotonic()
                state.seconds += now - started
                started = saved_at = now
                state.save()
    state.load_average()
    return LoopResult(state.step, state.seconds, state.mean_loss())


def _one_step(
    model: nn.Module, step_loss: StepLoss, optimizer: torch.optim.Optimizer, config: LoopConfig, state: _State
) -> float:
    generator = torch.Generator().manual_seed(config.seed * 1_000_003 + state.step)
    for group in optimizer.param_groups:
        group["lr"] = config.learning_rate * _schedule(state.step, config)
    optimizer.zero_grad(set_to_none=True)
    loss = step_loss(model, generator)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), config.max_grad_norm)
    optimizer.step()
    state.advance(float(loss.detach()), config.ema_decay)
    return state.losses[-1]


def _schedule(step: int, config: LoopConfig) -> float:
    if step < config.num_warmup_steps:
        return (step + 1) / config.num_warmup_steps
    done = (step - config.num_warmup_steps) / max(1, config.num_steps - config.num_warmup_steps)
    return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * done))


class _State:
    """Everything a resumed run needs, in one safetensors file."""

    def __init__(self, model: nn.Module, optimizer: torch.optim.Optimizer, path: Path) -> None:
        self.model, self.optimizer, self.path = model, optimizer, path
        self.average = copy.deepcopy(model).requires_grad_(False)
        self.step = 0
        self.seconds = 0.0
        self.losses: list[float] = []

    def advance(self, loss: float, ema_decay: float) -> None:
        self.step += 1
        self.losses = [*self.losses[-99:], loss]
        decay = min(ema_decay, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            torch._foreach_lerp_(list(self.average.parameters()), list(self.model.parameters()), 1 - decay)

    def mean_loss(self) -> float:
        return sum(self.losses) / max(1, len(self.losses))

    def load_average(self) -> None:
        self.model.load_state_dict(self.average.state_dict())

    def save(self) -> None:
        tensors = {f"model.{k}": v for k, v in self.model.state_dict().items()}
        tensors |= {f"average.{k}": v for k, v in self.average.state_dict().items()}
        for index, slots in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{name}": value for name, value in slots.items()}
        tensors["loop"] = torch.tensor([self.step, self.seconds, *self.losses], dtype=torch.float64)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_suffix(".partial")
        save_file({k: v.detach().contiguous().cpu().clone() for k, v in tensors.items()}, partial)
        os.replace(partial, self.path)

    def restore(self) -> None:
        if not self.path.exists():
            return
        tensors = load_file(self.path)
        loop = tensors.pop("loop").tolist()
        self.step, self.seconds, self.losses = int(loop[0]), loop[1], loop[2:]
        self.model.load_state_dict({k[6:]: v for k, v in tensors.items() if k.startswith("model.")})
        self.average.load_state_dict({k[8:]: v for k, v in tensors.items() if k.startswith("average.")})
        slots: dict[int, dict[str, Tensor]] = {}
        for key, value in tensors.items():
            if key.startswith("optimizer."):
                _, index, name = key.split(".")
                slots.setdefault(int(index), {})[name] = value
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": slots})
        log.info("resuming from %s at step %d", self.path, self.step)


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[loss]}"),
        TimeRemainingColumn(), transient=True,
    )  # fmt: skip
