"""How trained models are written to be shipped: fp16 safetensors that open in plain diffusers and transformers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, DiffusionPipeline

from editfoundry.editors.editing_defaults import EditingDefaults, write_editing_defaults
from editfoundry.pretraining.job import Save
from editfoundry.pretraining.measure import EDITING


def saver(model: Any, *extras: Any) -> Save:
    """Return what writes a model or pipeline in float16, an autoencoder of its own in float32.

    Args:
        model: with ``save_pretrained``.
        extras: tokenizers and processors that are written beside it.
    """

    def save(folder: Path) -> dict[str, int]:
        precision = torch.float32 if isinstance(model, AutoencoderKL) else torch.float16
        model.to(precision).save_pretrained(folder)
        for extra in extras:
            extra.save_pretrained(folder)
        if isinstance(model, DiffusionPipeline):
            _open_in_full_precision(folder / "text_encoder" / "config.json")
        return _parameter_counts(model)

    return save


def editor_saver(pipeline: DiffusionPipeline, editing: EditingDefaults = EDITING) -> Save:
    """Return what writes an editor, with how it is sampled where nothing else is said."""

    def save(folder: Path) -> dict[str, int]:
        counts = saver(pipeline)(folder)
        write_editing_defaults(folder, editing)
        return counts

    return save


def give_autoencoder(models: Path, autoencoder: Path) -> list[str]:
    """Give an autoencoder with another decoder to all models that see pictures by the same latents; return their names.

    Args:
        models: folder of pipelines in diffusers' layout, which are changed.
        autoencoder: folder of an `AutoencoderKL`.
    """
    vae = AutoencoderKL.from_pretrained(autoencoder, torch_dtype=torch.float16)
    # Else this machine's path is shipped in its configuration.
    vae.register_to_config(_name_or_path="")
    given = []
    for folder in sorted(path.parent for path in models.glob("*/vae")):
        shipped = AutoencoderKL.from_pretrained(folder / "vae", torch_dtype=torch.float16)
        if _has_the_same_latents(shipped, vae):
            vae.save_pretrained(folder / "vae")
            given.append(folder.name)
    return given


def _has_the_same_latents(first: AutoencoderKL, second: AutoencoderKL) -> bool:
    if first.config.latent_channels != second.config.latent_channels:
        return False
    return first.config.scaling_factor == second.config.scaling_factor and all(
        torch.equal(one, other)
        for mine, others in ((first.encoder, second.encoder), (first.quant_conv, second.quant_conv))
        for one, other in zip(mine.state_dict().values(), others.state_dict().values(), strict=True)
    )


def _open_in_full_precision(config: Path) -> None:
    """Let transformers open half-precision weights in float32 by default, as diffusers does the other components."""
    values = json.loads(config.read_text())
    config.write_text(json.dumps({**values, "dtype": "float32"}, indent=2) + "\n")


def _parameter_counts(model: Any) -> dict[str, int]:
    parts = getattr(model, "components", None) or {"model": model}
    return {
        name: sum(p.numel() for p in part.parameters()) for name, part in parts.items() if hasattr(part, "parameters")
    }
