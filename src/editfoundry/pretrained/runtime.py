"""The one place that decides which device and which precision models run in."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from editfoundry.errors import BadInputError
from editfoundry.profiles import ModelReference


@dataclass(frozen=True)
class Runtime:
    """Where models live and in what precision they compute."""

    device: torch.device
    dtype: torch.dtype
    offload: str = ""
    """Where models wait: empty, on the device; else see `ModelReference.offload`."""

    def of(self, reference: ModelReference) -> Runtime:
        """Return where a role's model lives, as its profile says; on a CPU there is nowhere else to wait.

        Raises:
            BadInputError: it names a device that there is not.
        """
        if not reference.device:
            return Runtime(self.device, self.dtype, reference.offload if self.device.type != "cpu" else "")
        own = choose_runtime(reference.device)
        is_moved = own.device.type != self.device.type
        offload = reference.offload if own.device.type != "cpu" else ""
        return Runtime(own.device, own.dtype if is_moved else self.dtype, offload)

    def staying(self) -> Runtime:
        """Return the same for a model that never waits elsewhere."""
        return Runtime(self.device, self.dtype)

    def __str__(self) -> str:
        return f"{self.device} {str(self.dtype).removeprefix('torch.')}"


def choose_runtime(device: str = "auto", dtype: str = "auto") -> Runtime:
    """Resolve ``auto``: CUDA with bfloat16 where there is a GPU, otherwise the CPU with float32.

    Beside half precision, what a model keeps in float32 is rounded to TF32 on the GPU.

    Raises:
        BadInputError: an unknown device or dtype, or a GPU asked for where there is none.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        resolved = torch.device(device)
    except RuntimeError as error:
        raise BadInputError(f"device {device!r} is not one that torch knows: use cpu, cuda or cuda:N") from error
    if resolved.type == "cuda" and not torch.cuda.is_available():
        raise BadInputError("device 'cuda' was asked for, but torch sees no GPU here: use --device cpu")
    if dtype == "auto":
        dtype = "bfloat16" if resolved.type == "cuda" else "float32"
    dtypes = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
    if dtype not in dtypes:
        raise BadInputError(f"dtype {dtype!r} is none of {', '.join(dtypes)}")
    if resolved.type == "cuda":
        allow_tf32(dtype != "float32")
    return Runtime(resolved, dtypes[dtype])


def allow_tf32(is_on: bool) -> None:
    """Let this process's GPUs round float32 products and convolutions to TF32: 10 bits of mantissa, far faster."""
    torch.backends.cuda.matmul.allow_tf32 = is_on
    torch.backends.cudnn.allow_tf32 = is_on
