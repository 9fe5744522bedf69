"""Trains the embedded models, ships them as fp16 safetensors with their cards, and measures them."""

from __future__ import annotations

import dataclasses
import logging
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, StableDiffusionInstructPix2PixPipeline

from editfoundry.errors import BadInputError
from editfoundry.pretrained.clip import load_clip
from editfoundry.pretrained.ip_adapter import load_image_encoder
from editfoundry.pretrained.runtime import Runtime, choose_runtime
from editfoundry.pretrained.text_to_image import load_text_to_image
from editfoundry.pretraining import (
    clip,
    controlnet,
    editworld,
    ip_adapter,
    joint,
    language_model,
    segmenter,
    vae,
    video_language_model,
    vision_language_model,
)
from editfoundry.pretraining.card import read_card, training_facts, training_parts, update_card
from editfoundry.pretraining.loop import LoopConfig, LoopResult, Metric
from editfoundry.pretraining.measure import MEASURES
from editfoundry.profiles import EMBEDDED_FOLDER, load_profile
from editfoundry.tracking.mlflow_client import default_tracking_uri, tracked_run

VAE_FOLDER = "vae_trained"
CONFIGS = {
    "vae": vae.CONFIG,
    "clip": clip.CONFIG,
    "diffusion": joint.CONFIG,
    "controlnet_canny": controlnet.CONFIG,
    "ip_adapter": ip_adapter.CONFIG,
    "language_model": language_model.CONFIG,
    "vision_language_model": vision_language_model.CONFIG,
    "video_language_model": video_language_model.CONFIG,
    "segmenter": segmenter.CONFIG,
    "editworld": editworld.CONFIG,
}
Save = Callable[[Path], dict[str, int]]
"""Saves a trained model into a folder and returns its parameter counts by part."""
Trained = tuple[dict[str, Save], LoopResult]
"""Role -> what saves its model, and what the training took."""


def pretrain(
    name: str,
    work_dir: Path,
    num_steps: int | None,
    device: str,
    continue_shipped: bool = False,
    embedded: Path = EMBEDDED_FOLDER,
) -> dict[str, Any]:
    """Train ``vae``, ``clip`` or ``diffusion`` from tinyworld, resuming what was interrupted.

    ``diffusion`` puts ``text_to_image`` and ``editor_base`` into ``embedded``, ``clip`` puts ``clip`` there; the
    autoencoder stays in ``work_dir`` and is shipped within the two diffusion models. ``continue_shipped`` trains the
    shipped diffusion models, language model or EditWorld editor on, in a ``work_dir`` without their optimizer's state.

    Raises:
        BadInputError: the autoencoder is not there yet, or ``continue_shipped`` is asked of another model.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    config = CONFIGS[name] if num_steps is None else dataclasses.replace(CONFIGS[name], num_steps=num_steps)
    if continue_shipped and name not in _CONTINUED:
        raise BadInputError(f"{name}: only {', '.join(_CONTINUED)} can be continued from what is shipped")
    train, before = _TRAIN[name], {}
    if continue_shipped:
        role, continued, rate = _CONTINUED[name]
        config = dataclasses.replace(config, learning_rate=rate * config.learning_rate)
        train, before = partial(continued, shipped=embedded / role), read_card(embedded / role).get("training", {})
    target = choose_runtime(device, "float32").device
    with tracked_run(
        "pretrain", name, dataclasses.asdict(config), {"model": name}, default_tracking_uri(work_dir), root=work_dir
    ) as run:
        models, result = train(work_dir, target, config, run.log_metric)
    facts = training_facts(config, result, target) | ({"continued_from": before} if before else {})
    for role, save in models.items():
        folder = work_dir / VAE_FOLDER if role == "vae" else embedded / role
        shutil.rmtree(folder, ignore_errors=True)
        parameters = save(folder)
        if role != "vae":
            update_card(folder, role, parameters=parameters, training=facts)
    return {**facts, "models": ", ".join(models)}


def measure(role: str, device: str, profile: str = "embedded") -> dict[str, float]:
    """Measure a shipped model on held-out scenes and write the figures into its card.

    Raises:
        MissingModelError: the model, or the CLIP it is judged by, is not there.
    """
    chosen = load_profile(profile)
    measured = MEASURES[role](chosen, choose_runtime(device, "float32"))
    # The finished editor plays no role in other stages, so no profile names it.
    folder = EMBEDDED_FOLDER / role if role == "editworld" else Path(chosen.model(role).location)
    update_card(folder, role, measured=measured)
    return measured


def _vae(work_dir: Path, device: torch.device, config: LoopConfig, log: Metric) -> Trained:
    model, result = vae.train_vae(work_dir, device, config, log)
    return {"vae": _saver(model)}, result


def _clip(work_dir: Path, device: torch.device, config: LoopConfig, log: Metric) -> Trained:
    model, processor, result = clip.train_clip(work_dir, device, config, log)
    return {"clip": _saver(model, processor)}, result


def _diffusion(
    work_dir: Path, device: torch.device, config: LoopConfig, log: Metric, shipped: Path | None = None
) -> Trained:
    folder, start = work_dir / VAE_FOLDER, None
    if shipped is not None:
        start = StableDiffusionInstructPix2PixPipeline.from_pretrained(shipped, torch_dtype=torch.float32).to(device)
        folder = shipped / "vae"
    if not folder.is_dir():
        raise BadInputError(f"{folder}: no autoencoder yet; run editfoundry tinyworld pretrain vae first")
    autoencoder = AutoencoderKL.from_pretrained(folder, torch_dtype=torch.float32).eval().to(device)
    # Else its configuration is shipped with this machine's path in it.
    autoencoder.register_to_config(_name_or_path="")
    painter, editor, result = joint.train_diffusion(work_dir, autoencoder, device, config, log, start)
    return {"text_to_image": _saver(painter), "editor_base": _saver(editor)}, result


def _controlnet(work_dir: Path, device: torch.device, config: LoopConfig, log: Metric) -> Trained:
    painter = load_text_to_image(load_profile("embedded"), Runtime(device, torch.float32))
    model, result = controlnet.train_controlnet(work_dir, painter, device, config, log)
    return {"controlnet_canny": _saver(model)}, result


def _ip_adapter(work_dir: Path, device: torch.device, config: LoopConfig, log: Metric) -> Trained:
    profile, runtime = load_profile("embedded"), Runtime(device, torch.float32)
    painter, encoder = load_text_to_image(profile, runtime), load_image_encoder(profile.model("clip"), runtime)
    tensors, result = ip_adapter.train_ip_adapter(work_dir, painter, *encoder, device, config, log)
    return {"ip_adapter": partial(ip_adapter.save_ip_adapter, tensors)}, result


def _language_model(
    work_dir: Path, device: torch.device, config: LoopConfig, log: Metric, shipped: Path | None = None
) -> Trained:
    model, tokenizer, result = language_model.train_language_model(work_dir, device, config, log, shipped)
    return {"language_model": _saver(model, tokenizer)}, result


def _vision_language_model(work_dir: Path, device: torch.device, config: LoopConfig, log: Metric) -> Trained:
    profile, runtime = load_profile("embedded"), Runtime(device, torch.float32)
    start, autoencoder = load_clip(profile, runtime).model, load_text_to_image(profile, runtime).vae
    model, processor, result = vision_language_model.train_vision_language_model(
        work_dir, start, autoencoder, device, config, log
    )
    return {"vision_language_model": _saver(model, processor)}, result


def _video_language_model(work_dir: Path, device: torch.device, config: LoopConfig, log: Metric) -> Trained:
    start = load_clip(load_profile("embedded"), Runtime(device, torch.float32)).model
    model, processor, result = video_language_model.train_video_language_model(work_dir, start, device, config, log)
    return {"video_language_model": _saver(model, processor)}, result


def _segmenter(work_dir: Path, device: torch.device, config: LoopConfig, log: Metric) -> Trained:
    model, result = segmenter.train_segmenter(work_dir, device, config, log)
    return {"segmenter": partial(segmenter.save_segmenter, model)}, result


def _editworld(
    work_dir: Path, device: torch.device, config: LoopConfig, log: Metric, shipped: Path | None = None
) -> Trained:
    start = shipped or Path(load_profile("embedded").model("editor_base").location)
    # An editor that is trained on learns from triplets that it has not seen.
    parts = training_parts(read_card(shipped).get("training", {})) if shipped is not None else []
    seen = sum(part["steps"] for part in parts)
    pipeline, result = editworld.train_editworld(work_dir, start, config, log, data_seed=seen)
    return {"editworld": _saver(pipeline)}, result


_TRAIN: dict[str, Callable[[Path, torch.device, LoopConfig, Metric], Trained]] = {
    "vae": _vae, "clip": _clip, "diffusion": _diffusion, "controlnet_canny": _controlnet,
    "ip_adapter": _ip_adapter, "language_model": _language_model, "vision_language_model": _vision_language_model,
    "video_language_model": _video_language_model, "segmenter": _segmenter, "editworld": _editworld,
}  # fmt: skip
_CONTINUED: dict[str, tuple[str, Callable[..., Trained], float]] = {
    "diffusion": ("editor_base", _diffusion, 1.0), "language_model": ("language_model", _language_model, 0.5),
    "editworld": ("editworld", _editworld, 1.0),
}  # fmt: skip
"""What can be trained on from the shipped models: the role whose card tells of it, what trains, and the share of the
learning rate."""


def _saver(model: Any, *extras: Any) -> Save:
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
