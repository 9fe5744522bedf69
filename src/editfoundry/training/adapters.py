"""What is switched on in the UNet before it trains: LoRA, gradient checkpointing, compilation."""

from __future__ import annotations

from pathlib import Path

from diffusers import StableDiffusionInstructPix2PixPipeline, UNet2DConditionModel
from torch import nn

from editfoundry.training.config import TrainingConfig

LORA_FOLDER = "lora"
"""Of a finished checkpoint; ``load_lora_weights`` of diffusers reads it onto the editor that training started from."""
_ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")


def trainable(model: nn.Module) -> list[nn.Parameter]:
    """Return the parameters that training changes."""
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def switch_on(pipeline: StableDiffusionInstructPix2PixPipeline, config: TrainingConfig, was_widened: bool) -> None:
    """Prepare the pipeline's UNet as ``config`` says; its text encoder's checkpointing follows the UNet's.

    Args:
        pipeline: the editor, in place.
        config: see its fields ``lora_rank``, ``gradient_checkpointing`` and ``compile_unet``.
        was_widened: the UNet got its image channels just now, so that LoRA leaves ``conv_in`` to be trained in full.
    """
    if config.lora_rank:
        _add_lora(pipeline.unet, config)
        pipeline.unet.conv_in.requires_grad_(was_widened)
    if config.gradient_checkpointing:
        pipeline.unet.enable_gradient_checkpointing()
        if config.train_text_encoder:
            pipeline.text_encoder.gradient_checkpointing_enable()
    if config.compile_unet:
        pipeline.unet.compile()


def merge_lora(unet: UNet2DConditionModel, folder: Path | None) -> None:
    """Add the LoRA updates to the weights they update; first save them apart in ``folder``, where one is given."""
    from diffusers.utils import convert_state_dict_to_diffusers
    from peft.utils import get_peft_model_state_dict

    if folder is not None:
        layers = convert_state_dict_to_diffusers(get_peft_model_state_dict(unet))
        StableDiffusionInstructPix2PixPipeline.save_lora_weights(folder, unet_lora_layers=layers)
    unet.fuse_lora()
    unet.unload_lora()


def _add_lora(unet: UNet2DConditionModel, config: TrainingConfig) -> None:
    from peft import LoraConfig

    unet.requires_grad_(False)
    alpha = config.lora_alpha or config.lora_rank
    unet.add_adapter(
        LoraConfig(r=config.lora_rank, lora_alpha=alpha, init_lora_weights="gaussian", target_modules=list(_ATTENTION))
    )
