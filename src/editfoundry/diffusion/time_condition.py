"""The projection by which some UNets are told more with the timestep: a task, or a guidance scale."""

from __future__ import annotations

from typing import Any


def freeze_time_condition(unet: Any) -> None:
    """Leave the projection of a UNet that is never told its condition as it is, if it has one.

    Weights that no pass uses get no gradient, for which processes that train together would wait.
    """
    projection = unet.time_embedding.cond_proj
    if projection is not None:
        projection.requires_grad_(False)
