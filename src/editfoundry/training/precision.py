"""The precision that a training computes in: what its file says, else what it was launched with."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import torch

from editfoundry.errors import BadInputError
from editfoundry.pretrained.runtime import allow_tf32
from editfoundry.training.loop_config import MIXED_PRECISIONS, LoopConfig

_LAUNCHED_WITH = "ACCELERATE_MIXED_PRECISION"
"""What ``accelerate launch`` tells its processes of its file and its options."""


@dataclass(frozen=True)
class Precision:
    """The precision in force."""

    mixed: str
    """``no``, ``fp16`` or ``bf16``, by Accelerate's names."""
    tf32: bool
    """Whether what is left in float32 is rounded to TF32 on the way through a GPU's tensor cores."""

    @classmethod
    def of(cls, config: LoopConfig) -> Precision:
        """Return what ``config`` says, and the launcher where it says nothing.

        Raises:
            BadInputError: the launcher's precision is unknown, or takes a GPU where there is none.
        """
        mixed = config.mixed_precision or os.environ.get(_LAUNCHED_WITH) or "no"
        has_gpu = torch.cuda.is_available()
        if mixed not in MIXED_PRECISIONS:
            raise BadInputError(f"mixed_precision is {mixed!r}, but must be one of {', '.join(MIXED_PRECISIONS)}")
        if mixed == "fp16" and not has_gpu:
            raise BadInputError("mixed_precision is 'fp16', which needs a GPU: use no or bf16 here")
        return cls(mixed, has_gpu and (config.allow_tf32 or mixed != "no"))

    def __str__(self) -> str:
        name = "float32" if self.mixed == "no" else self.mixed
        return f"{name} with TF32" if self.tf32 else name

    def switch_on(self) -> None:
        """Let this process round to TF32, or not; the rest is Accelerate's."""
        allow_tf32(self.tf32)

    def facts(self) -> dict[str, Any]:
        """Return what a checkpoint's summary and a tracked run say of it."""
        return {"precision": self.mixed, "tf32": self.tf32}
