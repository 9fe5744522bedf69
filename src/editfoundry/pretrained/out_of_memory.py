"""Tells an error of too little memory from all others."""

from __future__ import annotations

import gc

_SIGNS = (
    "out of memory",
    "can't allocate memory",
    "not enough memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
)
"""What torch writes into a plain RuntimeError where an allocation failed: its CPU allocator, cuBLAS, cuDNN, MPS."""


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether the device, or the machine, had too little memory, so that a smaller batch may fit."""
    import torch

    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in _SIGNS)


def free_memory() -> None:
    """Give back what a failed batch has left; call it where the error is no longer held."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
