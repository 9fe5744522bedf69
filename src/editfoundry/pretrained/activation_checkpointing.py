"""Less memory for more computing: activations of a model of transformers that are computed a second time."""

from __future__ import annotations

from typing import Any


def checkpoint_activations(model: Any, *, on: bool = True, **settings: Any) -> None:
    """Compute a model's activations anew in the backward pass instead of keeping them, or keep them again.

    Args:
        model: of transformers, which has renamed the method.
        on: whether to.
        settings: of `torch.utils.checkpoint.checkpoint`.
    """
    doing = "enable" if on else "disable"
    switch = getattr(model, f"activation_checkpointing_{doing}", None) or getattr(
        model, f"gradient_checkpointing_{doing}"
    )
    switch(*([settings] if settings else []))
