"""How much memory a computation takes at most, counted storage by storage; on the meta device, without computing."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


def traced_peak(run: Callable[[], object], modules: Iterable[torch.nn.Module] = ()) -> int:
    """Return the bytes that ``run`` holds at most at one time, without the modules' own weights.

    On the meta device nothing is computed and nothing allocated, so that a model of any size is counted anywhere.
    Attention counts as it is computed where fused: in and out, no scores.

    Args:
        run: does the computation, for example a UNet's pass; what it returns is let go.
        modules: whose weights and buffers do not count.
    """
    trace = _MemoryTrace()
    for module in modules:
        for tensor in (*module.parameters(), *module.buffers()):
            trace.ignore(tensor)
    with _fused_attention(), trace:
        run()
    return trace.peak


class _MemoryTrace(TorchDispatchMode):
    """Counts the storages that operators make, as long as they live."""

    def __init__(self) -> None:
        super().__init__()
        self.live = self.peak = 0
        self._known: dict[int, Any] = {}

    def ignore(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        self._known[storage._cdata] = storage

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(out):
            if isinstance(tensor, Tensor):
                self._note(tensor)
        return out

    def _note(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        if key in self._known:
            return

        def forget(_: object) -> None:
            self.live -= size
            self._known.pop(key, None)

        self._known[key] = weakref.ref(storage, forget)
        self.live += size
        self.peak = max(self.peak, self.live)


class _FusedAttention(torch.autograd.Function):
    """Attention that computes nothing and holds what a fused kernel holds: its inputs, its result, no scores."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        attended = query.new_empty(*query.shape[:-1], value.shape[-1])
        ctx.save_for_backward(query, key, value, attended)
        return attended

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, ...]:
        return tuple(torch.empty_like(tensor) for tensor in ctx.saved_tensors[:3])


@contextmanager
def _fused_attention() -> Iterator[None]:
    """Let attention on the meta device, which has no kernels, take the memory of fused ones."""
    usual = torch.nn.functional.scaled_dot_product_attention

    def attention(query: Tensor, key: Tensor, value: Tensor, *args: Any, **options: Any) -> Tensor:
        if query.device.type != "meta":
            return usual(query, key, value, *args, **options)
        attended: Tensor = _FusedAttention.apply(query, key, value)
        return attended

    # In its place rather than by a mode: gradient checkpointing computes outside of any.
    torch.nn.functional.scaled_dot_product_attention = attention  # type: ignore[assignment]
    try:
        yield
    finally:
        torch.nn.functional.scaled_dot_product_attention = usual
