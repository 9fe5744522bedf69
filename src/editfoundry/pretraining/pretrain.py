"""Trains the embedded models, ships them as fp16 safetensors with their cards, and measures them."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, DiffusionPipeline, StableDiffusionInstructPix2PixPipeline

from editfoundry.editors.editing_defaults import write_editing_defaults
from editfoundry.errors import BadInputError
from editfoundry.pretrained.clip import load_clip
from editfoundry.pretrained.ip_adapter import load_image_encoder
from editfoundry.pretrained.runtime import Runtime, choose_runtime
from editfoundry.pretrained.text_to_image import load_text_to_image
from editfoundry.pretraining.card import read_card, training_facts, training_parts, update_card
from editfoundry.pretraining.measure import EDITING, MEASURES
from editfoundry.pretraining.model_trainee import PretrainingConfig, PretrainingResult
from editfoundry.pretraining.recipes import (
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
from editfoundry.profiles import EMBEDDED_FOLDER, load_profile
from editfoundry.tracking.mlflow_client import default_tracking_uri

VAE_FOLDER = "vae_trained"
Save = Callable[[Path], dict[str, int]]
"""Saves a trained model into a folder and returns its parameter counts by part."""
Trained = tuple[dict[str, Save], PretrainingResult]
"""Role -> what saves its model, and what the training took."""


def pretrain(
    name: str,
    work_dir: Path,
    num_steps: int | None,
    device: str,
    continue_shipped: bool = False,
    embedded: Path = EMBEDDED_FOLDER,
) -> dict[str, Any]:
    """Train one of `PRETRAININGS` from tinyworld, resuming what was interrupted.

    ``diffusion`` puts ``text_to_image`` and ``editor_base`` into ``embedded``, ``clip`` puts ``clip`` there; the
    autoencoder stays in ``work_dir`` and is shipped within the two diffusion models. ``continue_shipped`` trains the
    shipped diffusion models, language model or EditWorld editor on, in a ``work_dir`` without their optimizer's state.

    Raises:
        BadInputError: there is no such pretraining, the autoencoder is not there yet, ``continue_shipped`` is asked of
            another model, or ``work_dir`` holds the state of a training with other settings.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    if name not in PRETRAININGS:
        raise BadInputError(f"no pretraining {name!r}: they are {', '.join(PRETRAININGS)}")
    recipe = PRETRAININGS[name]
    config = replace(recipe.config, mlflow_tracking_uri=default_tracking_uri(work_dir))
    if num_steps is not None:
        config = replace(config, num_steps=num_steps)
    train, before = recipe.train, {}
    if continue_shipped:
        if recipe.continued_role is None:
            known = ", ".join(name for name, other in PRETRAININGS.items() if other.continued_role)
            raise BadInputError(f"{name}: only {known} can be continued from what is shipped")
        config = replace(config, learning_rate=recipe.continued_rate * config.learning_rate)
        train = partial(train, shipped=embedded / recipe.continued_role)
        before = read_card(embedded / recipe.continued_role).get("training", {})
    target = choose_runtime(device, "float32").device
    models, result = train(work_dir, target, config)
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
    if role not in MEASURES:
        raise BadInputError(f"no measure of {role!r}: roles are {', '.join(MEASURES)}")
    chosen = load_profile(profile)
    measured = MEASURES[role](chosen, choose_runtime(device, "float32"))
    # The finished editor plays no role in other stages, so no profile names it.
    folder = EMBEDDED_FOLDER / role if role == "editworld" else Path(chosen.model(role).location)
    update_card(folder, role, measured=measured)
    return measured


def _vae(work_dir: Path, device: torch.device, config: PretrainingConfig) -> Trained:
    model, result = vae.train_vae(work_dir, device, config)
    return {"vae": _saver(model)}, result


def _clip(work_dir: Path, device: torch.device, config: PretrainingConfig) -> Trained:
    model, processor, result = clip.train_clip(work_dir, device, config)
    return {"clip": _saver(model, processor)}, result


def _diffusion(work_dir: Path, device: torch.device, config: PretrainingConfig, shipped: Path | None = None) -> Trained:
    folder, start = work_dir / VAE_FOLDER, None
    if shipped is not None:
        start = StableDiffusionInstructPix2PixPipeline.from_pretrained(shipped, torch_dtype=torch.float32).to(device)
        folder = shipped / "vae"
    if not folder.is_dir():
        raise BadInputError(f"{folder}: no autoencoder yet; run editfoundry tinyworld pretrain vae first")
    autoencoder = AutoencoderKL.from_pretrained(folder, torch_dtype=torch.float32).eval().to(device)
    # Else its configuration is shipped with this machine's path in it.
    autoencoder.register_to_config(_name_or_path="")
    painter, editor, result = joint.train_diffusion(work_dir, autoencoder, device, config, start)
    return {"text_to_image": _saver(painter), "editor_base": _editor_saver(editor)}, result


def _controlnet(work_dir: Path, device: torch.device, config: PretrainingConfig) -> Trained:
    painter = load_text_to_image(load_profile("embedded"), Runtime(device, torch.float32))
    model, result = controlnet.train_controlnet(work_dir, painter, device, config)
    return {"controlnet_canny": _saver(model)}, result


def _ip_adapter(work_dir: Path, device: torch.device, config: PretrainingConfig) -> Trained:
    profile, runtime = load_profile("embedded"), Runtime(device, torch.float32)
    painter, encoder = load_text_to_image(profile, runtime), load_image_encoder(profile.model("clip"), runtime)
    tensors, result = ip_adapter.train_ip_adapter(work_dir, painter, *encoder, device, config)
    return {"ip_adapter": partial(ip_adapter.save_ip_adapter, tensors)}, result


def _language_model(
    work_dir: Path, device: torch.device, config: PretrainingConfig, shipped: Path | None = None
) -> Trained:
    model, tokenizer, result = language_model.train_language_model(work_dir, device, config, shipped)
    return {"language_model": _saver(model, tokenizer)}, result


def _vision_language_model(work_dir: Path, device: torch.device, config: PretrainingConfig) -> Trained:
    profile, runtime = load_profile("embedded"), Runtime(device, torch.float32)
    start, autoencoder = load_clip(profile, runtime).model, load_text_to_image(profile, runtime).vae
    model, processor, result = vision_language_model.train_vision_language_model(
        work_dir, start, autoencoder, device, config
    )
    return {"vision_language_model": _saver(model, processor)}, result


def _video_language_model(work_dir: Path, device: torch.device, config: PretrainingConfig) -> Trained:
    start = load_clip(load_profile("embedded"), Runtime(device, torch.float32)).model
    model, processor, result = video_language_model.train_video_language_model(work_dir, start, device, config)
    return {"video_language_model": _saver(model, processor)}, result


def _segmenter(work_dir: Path, device: torch.device, config: PretrainingConfig) -> Trained:
    model, result = segmenter.train_segmenter(work_dir, device, config)
    return {"segmenter": partial(segmenter.save_segmenter, model)}, result


def _editworld(work_dir: Path, device: torch.device, config: PretrainingConfig, shipped: Path | None = None) -> Trained:
    start = shipped or Path(load_profile("embedded").model("editor_base").location)
    # An editor that is trained on learns from triplets that it has not seen.
    parts = training_parts(read_card(shipped).get("training", {})) if shipped is not None else []
    seen = sum(part["steps"] for part in parts)
    pipeline, result = editworld.train_editworld(work_dir, start, config, data_seed=seen)
    return {"editworld": _editor_saver(pipeline)}, result


@dataclass(frozen=True)
class Pretraining:
    """How one of the embedded models is trained."""

    config: PretrainingConfig
    train: Callable[..., Trained]
    """Called with work folder, device and configuration, and with ``shipped=FOLDER`` to go on from a shipped model."""
    continued_role: str | None = None
    """Role whose shipped model can be trained on, where one can."""
    continued_rate: float = 1.0
    """Share of the learning rate that training on takes."""


PRETRAININGS = {
    "vae": Pretraining(vae.CONFIG, _vae),
    "diffusion": Pretraining(joint.CONFIG, _diffusion, "editor_base"),
    "clip": Pretraining(clip.CONFIG, _clip),
    "controlnet_canny": Pretraining(controlnet.CONFIG, _controlnet),
    "ip_adapter": Pretraining(ip_adapter.CONFIG, _ip_adapter),
    "language_model": Pretraining(language_model.CONFIG, _language_model, "language_model", 0.5),
    "vision_language_model": Pretraining(vision_language_model.CONFIG, _vision_language_model),
    "video_language_model": Pretraining(video_language_model.CONFIG, _video_language_model),
    "segmenter": Pretraining(segmenter.CONFIG, _segmenter),
    "editworld": Pretraining(editworld.CONFIG, _editworld, "editworld"),
}
"""By the names of `card.PRETRAININGS`."""


def _saver(model: Any, *extras: Any) -> Save:
    def save(folder: Path) -> dict[str, int]:
        precision = torch.float32 if isinstance(model, AutoencoderKL) else torch.float16
        model.to(precision).save_pretrained(folder)
        for extra in extras:
            extra.save_pretrained(folder)
        if isinstance(model, DiffusionPipeline):
            _open_in_full_precision(folder / "text_encoder" / "config.json")
        return _parameter_counts(model)

    return save


def _editor_saver(pipeline: StableDiffusionInstructPix2PixPipeline) -> Save:
    def save(folder: Path) -> dict[str, int]:
        counts = _saver(pipeline)(folder)
        write_editing_defaults(folder, EDITING)
        return counts

    return save


def _open_in_full_precision(config: Path) -> None:
    """Let transformers open half-precision weights in float32 by default, as diffusers does the other components."""
    values = json.loads(config.read_text())
    config.write_text(json.dumps({**values, "dtype": "float32"}, indent=2) + "\n")


def _parameter_counts(model: Any) -> dict[str, int]:
    parts = getattr(model, "components", None) or {"model": model}
    return {
        name: sum(p.numel() for p in part.parameters()) for name, part in parts.items() if hasattr(part, "parameters")
    }
