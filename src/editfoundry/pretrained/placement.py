"""Where a role's model computes and where it waits, so that models which are too large together take turns."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

import torch

from editfoundry.pretrained.out_of_memory import free_memory
from editfoundry.pretrained.runtime import Runtime

P = ParamSpec("P")
R = TypeVar("R")


def place(model: Any, runtime: Runtime) -> Any:
    """Put a model where it waits: on its device, or, offloaded, in the machine's memory; return it.

    ``sequential`` leaves the weights there for good; each layer's are copied to the device while it computes.
    """
    if runtime.offload == "sequential":
        from accelerate import cpu_offload

        # Its own weights are nowhere between two passes, so that it cannot tell where it computes.
        model.copied_to = runtime.device
        return cpu_offload(model, runtime.device)
    return model if runtime.offload == "cpu" else model.to(runtime.device)


@contextmanager
def at_work(runtime: Runtime, *models: Any) -> Iterator[None]:
    """Have offloaded models on their device inside the ``with`` block; those that were there before stay afterwards."""
    fetched = [model for model in models if runtime.offload == "cpu" and _is_away(model, runtime.device)]
    for model in fetched:
        model.to(runtime.device)
    try:
        yield
    finally:
        for model in fetched:
            model.to("cpu")
        if fetched:
            free_memory()


def with_model_at_work(method: Callable[P, R]) -> Callable[P, R]:
    """Let a method of a role's class have its ``model`` on the device of its ``runtime``."""

    @functools.wraps(method)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        own: Any = args[0]
        with at_work(own.runtime, own.model):
            return method(*args, **kwargs)

    return run


def device_of(model: Any) -> torch.device:
    """Return where a model of transformers computes: its own device, or the one that its layers are copied to."""
    device: torch.device = getattr(model, "copied_to", None) or model.device
    return device


def _is_away(model: Any, device: torch.device) -> bool:
    tensor = next(model.parameters(), None)
    return tensor is not None and torch.empty(0, device=device).device != tensor.device
