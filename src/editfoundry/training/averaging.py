"""The running average of the trained weights: kept, saved without pickling, and looked at for a while."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from diffusers.training_utils import EMAModel
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

_FILE_NAME = "average_{}.safetensors"


def new_average(parameters: Sequence[nn.Parameter], decay: float, update_after_step: int) -> EMAModel:
    """Start an average at ``parameters``, whose decay grows from 0 to at most ``decay`` a step."""
    return EMAModel(parameters, decay=decay, update_after_step=update_after_step, foreach=True)


def save_average(average: EMAModel, folder: Path, shard: int) -> None:
    """Write the average, or the part of it that this process has where weights are sharded."""
    tensors = {str(i): _local(p).contiguous() for i, p in enumerate(average.shadow_params)}
    save_file(tensors, folder / _FILE_NAME.format(shard), metadata={"num_steps": str(average.optimization_step)})


def load_average(average: EMAModel, folder: Path, shard: int) -> None:
    """Read what `save_average` wrote."""
    with safe_open(folder / _FILE_NAME.format(shard), "pt") as file:
        average.optimization_step = int(file.metadata()["num_steps"])
        for number, parameter in enumerate(average.shadow_params):
            _local(parameter).copy_(file.get_tensor(str(number)))


@contextmanager
def averaged_weights(average: EMAModel | None, parameters: Sequence[nn.Parameter]) -> Iterator[None]:
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


def _local(parameter: Tensor) -> Tensor:
    return parameter.to_local() if isinstance(parameter, DTensor) else parameter
