"""Tells a UNet the task: added to the timestep's embedding, and one more token for the cross-attention."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor, nn

from editfoundry.diffusion.guidance import Denoiser
from editfoundry.editors.families.emu_edit.task_choice import FOLDER
from editfoundry.editors.families.emu_edit.task_table import TaskTable
from editfoundry.errors import BadInputError


def add_task_projection(unet: UNet2DConditionModel, seed: int) -> None:
    """Give a UNet, in place, the projection by which a task reaches the timestep's embedding, if it has none yet.

    It is diffusers' own (``time_cond_proj_dim``): whoever calls the UNet without a condition gets what it gave before.

    Raises:
        BadInputError: the UNet has a projection of another width, as models distilled from guidance have.
    """
    width, embedding = unet.config.cross_attention_dim, unet.time_embedding
    if embedding.cond_proj is not None:
        if embedding.cond_proj.in_features != width:
            found = embedding.cond_proj.in_features
            raise BadInputError(f"the UNet's time_cond_proj_dim is {found}, but a task's embedding is {width} wide")
        return
    weight = embedding.linear_1.weight
    projection = nn.Linear(width, embedding.linear_1.in_features, bias=False)
    drawn = torch.randn(projection.weight.shape, generator=torch.Generator().manual_seed(seed)) / width**0.5
    projection.weight.data.copy_(drawn)
    embedding.cond_proj = projection.to(device=weight.device, dtype=weight.dtype)
    unet.register_to_config(time_cond_proj_dim=width)


def check_widths(folder: object, table: TaskTable, unet: UNet2DConditionModel) -> None:
    """Refuse a table of tasks that the UNet beside it cannot be told.

    Raises:
        BadInputError: its vectors are of another width than the UNet's cross-attention or than its projection of
            tasks, or the UNet has no such projection.
    """
    width, attended, projection = table.vectors.shape[1], unet.config.cross_attention_dim, unet.time_embedding.cond_proj
    if projection is None:
        raise BadInputError(
            f"{folder}: has {FOLDER}, but its UNet has no time_cond_proj: they are of different editors"
        )
    if (attended, projection.in_features) != (width, width):
        raise BadInputError(
            f"{folder}: its {FOLDER} are {width} wide, but its UNet reads {attended} and projects "
            f"{projection.in_features}: they belong to different editors"
        )


@dataclass(frozen=True)
class TaskConditioned:
    """A UNet that is told the tasks of a batch's edits; called as the UNet itself is."""

    unet: Denoiser
    vectors: Tensor
    """``(B, D)``."""
    has_task: Tensor
    """``(B,)`` bool; the others' vectors are zeros and nothing attends to them."""

    def __call__(self, sample: Tensor, timestep: Any, *, encoder_hidden_states: Tensor, return_dict: bool) -> Any:
        """Denoise; of more rows than tasks, the last ones have the tasks and those before them none."""
        missing = len(sample) - len(self.vectors)
        vectors = torch.cat([self.vectors.new_zeros(missing, self.vectors.shape[1]), self.vectors])
        has_task = torch.cat([self.has_task.new_zeros(missing), self.has_task])
        vectors = vectors.to(encoder_hidden_states.dtype)
        seen = has_task.new_ones(len(sample), encoder_hidden_states.shape[1])
        return self.unet(
            sample,
            timestep,
            encoder_hidden_states=torch.cat([encoder_hidden_states, vectors[:, None]], dim=1),
            encoder_attention_mask=torch.cat([seen, has_task[:, None]], dim=1),
            timestep_cond=vectors,
            return_dict=return_dict,
        )
