"""What a GPU needs to train an MGIE editor, by arithmetic: its models on the meta device, no weights loaded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from editfoundry.data.untrusted import read_json
from editfoundry.editors.editor_family import TrainingMemory
from editfoundry.editors.families.mgie.edit_head import EditHead
from editfoundry.editors.families.mgie.model import EDIT_HEAD_FOLDER, MLLM_FOLDER
from editfoundry.editors.families.mgie.picture_tokens import PICTURE_TOKENS
from editfoundry.editors.families.mgie.training_config import MgieTraining
from editfoundry.errors import BadInputError
from editfoundry.pretrained.skeletons import Skeleton, build_skeleton
from editfoundry.pretrained.working_memory import language_training_pass, unet_training_pass
from editfoundry.profiles import BYTES_OF, ModelReference, Profile

TEXT_TOKENS = 160
"""Of a chat beside its picture: the question, an answer of 96 tokens at most, the picture tokens."""
ANSWER_TOKENS = 96 + len(PICTURE_TOKENS)
DEFAULT_SIDE = 512
"""Pixels, where the training names no resolution."""


def memory_rows(config: MgieTraining, num_processes: int) -> list[TrainingMemory]:
    """Return what a GPU needs with these settings, and with one memory-saving setting more in each row.

    Raises:
        BadInputError: the batch cannot be shared out, or a model has no configuration at hand.
    """
    rows = []
    traced: dict[tuple[object, ...], int] = {}
    for label, chosen in _choices(config, num_processes):
        count = chosen.batch_size // num_processes // chosen.gradient_accumulation_steps
        rows.append(TrainingMemory(label=label, num_samples=count, parts=_parts(chosen, count, num_processes, traced)))
    return rows


def _choices(config: MgieTraining, num_processes: int) -> Iterator[tuple[str, MgieTraining]]:
    share, rest = divmod(config.batch_size, num_processes)
    if rest or share % config.gradient_accumulation_steps:
        parts = f"{num_processes} processes of {config.gradient_accumulation_steps} accumulation steps"
        raise BadInputError(f"batch_size is {config.batch_size}, which {parts} cannot share")
    yield "as it is", config
    saving: tuple[tuple[str, dict[str, Any]], ...] = (
        ("one sample at a time", {"gradient_accumulation_steps": share}),
        ("gradient_checkpointing: true", {"gradient_checkpointing": True}),
        ("mllm_precision: bfloat16", {"mllm_precision": "bfloat16", "mixed_precision": "bf16"}),
        ("optimizer: adamw_8bit", {"optimizer": "adamw_8bit"}),
        ("ema_on_cpu: true", {"ema_on_cpu": True}),
    )
    for label, settings in saving:
        # Blocks that train stay in float32.
        is_possible = not (config.trains_mllm_blocks and "mllm_precision" in settings)
        if is_possible and any(getattr(config, name) != value for name, value in settings.items()):
            config = replace(config, **settings)
            yield f"and {label}", config


def _parts(
    config: MgieTraining, count: int, num_processes: int, traced: dict[tuple[object, ...], int]
) -> dict[str, int]:
    """Return bytes by what takes them, of ``count`` samples at a time; what ``traced`` has is not traced again."""
    editor, llava = _skeleton("editor_base", config.editor), _language_model(config)
    unet: Any = editor.modules["unet"]
    model: Any = llava.modules["model"]
    head = _edit_head(config, model, unet)
    tables = {id(layer.weight): layer.weight for layer in (model.get_input_embeddings(), model.get_output_embeddings())}
    num_told = sum(weight.numel() for weight in tables.values()) if config.trains_mllm else 0
    inner = model.model.language_model
    num_told += _count(inner.layers) + _count(inner.norm) if config.trains_mllm_blocks else 0
    num_trained = _count(head) + num_told + (_count(unet) if config.trains_unet else 0)
    num_frozen = llava.num_parameters - num_told
    num_frozen_unet = 0 if config.trains_unet else _count(unet)
    is_mixed = config.mixed_precision in ("fp16", "bf16")
    dtype = torch.bfloat16 if is_mixed else torch.float32
    # Of frozen weights in float32 autocast keeps a copy for the way back, unless that is computed anew.
    keeps_copies = is_mixed and config.mllm_precision == "float32" and not config.gradient_checkpointing
    moments = 2 if config.optimizer == "adamw_8bit" else 8
    average = 4 if config.use_ema and not config.ema_on_cpu else 0
    exchanged = 4 if num_processes > 1 else 0
    side, tokens = config.resolution or DEFAULT_SIDE, TEXT_TOKENS + (_picture_tokens(model) * config.sees_picture)
    choices = {"checkpointing": config.gradient_checkpointing, "learns_from_it": not config.trains_unet}
    told = painted = 0
    if config.trains_mllm:
        asked = ("told", count, tokens, dtype, config.gradient_checkpointing)
        if asked not in traced:
            traced[asked] = language_training_pass(model, count, tokens, dtype, config.gradient_checkpointing)
        # Logits, their softmax and its gradient, in float32.
        told = traced[asked] + 3 * 4 * count * ANSWER_TOKENS * model.get_input_embeddings().weight.shape[0]
    if config.edit_loss_weight:
        key = ("painted", count, dtype, side, *choices.values())
        if key not in traced:
            traced[key] = unet_training_pass(unet, count, dtype, side, choices)
        painted = traced[key]
    return {
        "frozen weights": num_frozen * BYTES_OF[config.mllm_precision]
        + num_frozen_unet * (4 + (2 if is_mixed else 0))
        + (2 * num_frozen if keeps_copies and config.trains_mllm else 0),
        "trained weights": num_trained * (4 + (2 if is_mixed else 0)),
        "gradients": num_trained * (4 + exchanged),
        "optimizer": num_trained * moments,
        "average": num_trained * average,
        "language model's pass": told,
        "UNet's pass": painted,
    }


def _language_model(config: MgieTraining) -> Skeleton:
    """Return the LLaVA that is named, or that the editor has as an MGIE checkpoint."""
    if config.mllm:
        return _skeleton("vision_language_model", config.mllm)
    own = Path(config.editor_location) / MLLM_FOLDER
    if not own.is_dir():
        raise BadInputError(f"mllm names no language model, and {config.editor} is no MGIE editor that has one")
    return _skeleton("vision_language_model", str(own))


def _edit_head(config: MgieTraining, llava: Any, unet: Any) -> EditHead:
    """Return the head that an MGIE checkpoint has, or the new one that the training makes."""
    sizes = {
        "state_dim": llava.get_input_embeddings().weight.shape[1],
        "hidden_dim": config.head_dim,
        "num_layers": config.head_layers,
        "num_heads": config.head_heads,
        "feedforward_dim": config.head_feedforward_dim,
        "num_queries": config.num_queries,
        "output_dim": unet.config.cross_attention_dim,
    }
    if not config.mllm:
        sizes = read_json(Path(config.editor_location) / EDIT_HEAD_FOLDER / "config.json", dict)
    with torch.device("meta"):
        head: EditHead = EditHead.from_config(sizes)
    return head


def _skeleton(role: str, source: str) -> Skeleton:
    profile = Profile(name="training", models={role: ModelReference(role=role, source=source)})
    found = build_skeleton(profile, role)
    if found is None:
        raise BadInputError(f"{source}: no configuration of it is at hand, so that nothing can be said of its memory")
    return found


def _picture_tokens(model: Any) -> int:
    vision = model.config.vision_config
    return int((vision.image_size // vision.patch_size) ** 2)


def _count(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())
