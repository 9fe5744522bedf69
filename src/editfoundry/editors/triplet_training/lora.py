"""LoRA updates of a UNet's attention: put on before training, merged after it."""

from __future__ import annotations

from pathlib import Path

from diffusers import StableDiffusionInstructPix2PixPipeline, UNet2DConditionModel

LORA_FOLDER = "lora"
"""Of a finished checkpoint; ``load_lora_weights`` of diffusers reads it onto the editor that training started from."""
_ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")


def add_lora(unet: UNet2DConditionModel, rank: int, alpha: int) -> None:
    """Freeze the UNet and give its attention updates of ``rank``, scaled by ``alpha / rank``; they start at random."""
    from peft import LoraConfig

    unet.requires_grad_(False)
    unet.add_adapter(
        LoraConfig(r=rank, lora_alpha=alpha, init_lora_weights="gaussian", target_modules=list(_ATTENTION))
    )


def merge_lora(unet: UNet2DConditionModel, folder: Path | None) -> None:
    """Add the LoRA updates to the weights they update; first save them apart in ``folder``, where one is given."""
    from diffusers.utils import convert_state_dict_to_diffusers
    from peft.utils import get_peft_model_state_dict

    if folder is not None:
        layers = convert_state_dict_to_diffusers(get_peft_model_state_dict(unet))
        StableDiffusionInstructPix2PixPipeline.save_lora_weights(folder, unet_lora_layers=layers)
    unet.fuse_lora()
    unet.unload_lora()
