"""Trains one embedded model, ships it as fp16 safetensors with its card, and measures it."""

from __future__ import annotations

import dataclasses
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline

from editfoundry.errors import BadInputError
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.profiles import EMBEDDED_FOLDER, load_profile
from editfoundry.tinyworld.pretrain import clip, editor_base, text_to_image, vae
from editfoundry.tinyworld.pretrain.card import training_facts, update_card
from editfoundry.tinyworld.pretrain.loop import LoopConfig, LoopResult, Metric
from editfoundry.tinyworld.pretrain.measure import MEASURES
from editfoundry.tracking.mlflow_client import default_tracking_uri, tracked_run

CONFIGS = {
    "vae": vae.CONFIG,
    "text_to_image": text_to_image.CONFIG,
    "clip": clip.CONFIG,
    "editor_base": editor_base.CONFIG,
}
Saver = Callable[[Path], dict[str, int]]
"""Saves the trained model into a folder and returns its parameter counts by part."""


def pretrain(
    role: str, work_dir: Path, num_steps: int | None, device: str, embedded: Path = EMBEDDED_FOLDER
) -> dict[str, Any]:
    """Train ``role`` from tinyworld, resuming what was interrupted, and put the model into ``embedded``.

    The autoencoder is trained first (``vae``) and shipped within ``text_to_image``; ``editor_base`` starts from that.

    Raises:
        BadInputError: a model that this one starts from is not there yet.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    config = CONFIGS[role]
    if num_steps is not None:
        config = dataclasses.replace(config, num_steps=num_steps)
    target = choose_runtime(device, "float32").device
    with tracked_run(
        "pretrain", role, dataclasses.asdict(config), {"role": role}, default_tracking_uri(work_dir), root=work_dir
    ) as run:
        save, result = _TRAIN[role](work_dir, target, config, run.log_metric)
    facts = training_facts(config, result, target)
    if role == "vae":
        save(work_dir / "vae_trained")
        return facts
    folder = embedded / role
    shutil.rmtree(folder, ignore_errors=True)
    parameters = save(folder)
    update_card(folder, role, parameters=parameters, training=facts)
    return {**facts, "folder": str(folder)}


def measure(role: str, device: str, profile: str = "embedded") -> dict[str, float]:
    """Measure a shipped model on held-out scenes and write the figures into its card.

    Raises:
        MissingModelError: the model, or the CLIP it is judged by, is not there.
    """
    chosen = load_profile(profile)
    measured = MEASURES[role](chosen, choose_runtime(device, "float32"))
    update_card(Path(chosen.model(role).location), role, measured=measured)
    return measured


def _vae(work_dir: Path, device: torch.device, config: LoopConfig, log: Metric) -> tuple[Saver, LoopResult]:
    model, result = vae.train_vae(work_dir, device, config, log)
    return _saver(model), result


def _text_to_image(work_dir: Path, device: torch.device, config: LoopConfig, log: Metric) -> tuple[Saver, LoopResult]:
    folder = work_dir / "vae_trained"
    if not folder.is_dir():
        raise BadInputError(f"{folder}: no autoencoder yet; run editfoundry tinyworld pretrain vae first")
    autoencoder = AutoencoderKL.from_pretrained(folder).eval().to(device)
    pipeline, result = text_to_image.train_text_to_image(work_dir, autoencoder, device, config, log)
    return _saver(pipeline), result


def _editor_base(work_dir: Path, device: torch.device, config: LoopConfig, log: Metric) -> tuple[Saver, LoopResult]:
    folder = EMBEDDED_FOLDER / "text_to_image"
    if not folder.is_dir():
        raise BadInputError(f"{folder}: not there; run editfoundry tinyworld pretrain text_to_image first")
    start = StableDiffusionPipeline.from_pretrained(folder, torch_dtype=torch.float32).to(device)
    pipeline, result = editor_base.train_editor_base(work_dir, start, device, config, log)
    return _saver(pipeline), result


def _clip(work_dir: Path, device: torch.device, config: LoopConfig, log: Metric) -> tuple[Saver, LoopResult]:
    model, processor, result = clip.train_clip(work_dir, device, config, log)
    return _saver(model, processor), result


_TRAIN: dict[str, Callable[[Path, torch.device, LoopConfig, Metric], tuple[Saver, LoopResult]]] = {
    "vae": _vae, "text_to_image": _text_to_image, "clip": _clip, "editor_base": _editor_base,
}  # fmt: skip


def _saver(model: Any, *extras: Any) -> Saver:
    def save(folder: Path) -> dict[str, int]:
        precision = torch.float32 if isinstance(model, AutoencoderKL) else torch.float16
        model.to(precision).save_pretrained(folder)
        for extra in extras:
            extra.save_pretrained(folder)
        return _parameter_counts(model)

    return save


def _parameter_counts(model: Any) -> dict[str, int]:
    parts = getattr(model, "components", None) or {"model": model}
    return {
        name: sum(p.numel() for p in part.parameters()) for name, part in parts.items() if hasattr(part, "parameters")
    }
