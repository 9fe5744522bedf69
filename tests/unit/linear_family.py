"""An example of a trainable family: an "editor" of two linear layers, made for the tests of the loop.

``python linear_family.py CONFIG`` trains it as ``python -m editfoundry.editors.train CONFIG`` would, were it listed.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from accelerate import Accelerator
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from editfoundry.editors.editor_family import EditorFamily, FamilyTraining
from editfoundry.editors.families import FAMILIES
from editfoundry.editors.train import main
from editfoundry.training.loop_config import LoopConfig
from editfoundry.training.trainee import Modules, TrainedPart, Validation

NUM_SAMPLES = 64


@dataclass(frozen=True, kw_only=True)
class LinearTraining(LoopConfig):
    """Settings of the example."""

    target: float = 3.0
    """What the second layer learns to give."""
    second_rate: float = 0.1
    """Learning rate of the second layer, as a share of the first one's."""
    seconds_per_step: float = 0.0
    num_padding: int = 0
    """Numbers that make the checkpoint larger."""

    CHECKPOINT_FILE: ClassVar[str] = "linear.safetensors"
    WITHOUT_EFFECT: ClassVar[frozenset[str]] = LoopConfig.WITHOUT_EFFECT | {"seconds_per_step", "num_padding"}

    def identity(self) -> dict[str, Any]:
        """Pretend that data lies somewhere."""
        return {"data": f"{NUM_SAMPLES} numbers"}


@dataclass(frozen=True)
class LinearTrainee:
    """Two layers; both are averaged."""

    config: LinearTraining
    first: nn.Linear
    second: nn.Linear

    @classmethod
    def load(cls, config: LinearTraining, accelerator: Accelerator) -> LinearTrainee:
        """Start at the same weights every time."""
        torch.manual_seed(7)
        return cls(config, nn.Linear(4, 4).to(accelerator.device), nn.Linear(4, 1).to(accelerator.device))

    @property
    def parts(self) -> list[TrainedPart]:
        """Both layers, each at a rate of its own."""
        return [TrainedPart(self.first), TrainedPart(self.second, self.config.second_rate)]

    @property
    def data_description(self) -> str:
        """For a log line."""
        return f"{NUM_SAMPLES} numbers"

    @property
    def likely_fault(self) -> str:
        """For a message."""
        return "odd numbers"

    def batch(self, step: int, part: slice) -> Tensor:
        """Draw inputs, ``(B, 4)``."""
        time.sleep(self.config.seconds_per_step)
        generator = torch.Generator().manual_seed(self.config.seed * 1_000_003 + step)
        return torch.randn(self.config.batch_size, 4, generator=generator)[part]

    def loss(self, modules: Modules, batch: Tensor) -> Tensor:
        """Return the squared error."""
        first, second = modules
        device = next(first.parameters()).device
        return (second(torch.tanh(first(batch.to(device)))) - self.config.target).square().mean()

    def validation(self) -> list[Validation]:
        """Validate on other numbers."""
        inputs = torch.randn(6, 4, generator=torch.Generator().manual_seed(-1))
        return [Validation(lambda part: inputs[part], 6, self.loss)]

    def write_samples(self, path: Path) -> None:
        """Write a file that the tests find."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("a picture")

    def save(self, folder: Path, whole: Sequence[Mapping[str, Tensor]] | None) -> None:
        """Write all weights."""
        named = {"first": self.first, "second": self.second}
        tensors = {f"{name}.{key}": t.cpu() for name, layer in named.items() for key, t in layer.state_dict().items()}
        tensors |= {"padding": torch.zeros(self.config.num_padding)} if self.config.num_padding else {}
        save_file(tensors, folder / self.config.CHECKPOINT_FILE)

    def facts(self) -> dict[str, Any]:
        """Say where the data lay."""
        return {"num_samples": NUM_SAMPLES}


def weights(output: Path) -> dict[str, Tensor]:
    """Return a finished checkpoint's weights."""
    tensors: dict[str, Tensor] = load_file(output / LinearTraining.CHECKPOINT_FILE)
    return tensors


FAMILY = EditorFamily(
    name="linear",
    edit=lambda editor, requests: [request.image for request in requests],
    training=FamilyTraining(LinearTraining, "linear_family:LinearTrainee"),
)

if __name__ == "__main__":
    sys.modules["linear_family"] = sys.modules["__main__"]
    FAMILIES.append(FAMILY)
    sys.exit(main())
