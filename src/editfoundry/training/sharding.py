"""Accelerate's ways of spreading one model's weights over processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from editfoundry.errors import BadInputError

if TYPE_CHECKING:
    from accelerate import Accelerator


def refuse_sharding(accelerator: Accelerator, why: str) -> None:
    """Raise BadInputError, which begins with ``why``, where FSDP or DeepSpeed, which train one model, are asked for."""
    if accelerator.distributed_type.value in ("FSDP", "DEEPSPEED"):
        raise BadInputError(f"{why}, but FSDP and DeepSpeed train one model: use neither")
