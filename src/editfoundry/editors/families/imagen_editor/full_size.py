"""A cascade of the paper's sides and about its size, without weights: for counting, and to be trained from nothing.

Imagen Editor fine-tunes Imagen, whose networks are unpublished: 2 billion numbers at 64 pixels, 600 million at 256 and
400 million at 1024 (Saharia et al. 2022, section 4 and appendix F). The widths here are those of DeepFloyd IF, which
followed it, narrowed to about those counts.
"""

from __future__ import annotations

from typing import Any

from diffusers import DDIMScheduler, UNet2DConditionModel
from transformers import T5Config, T5EncoderModel

from editfoundry.editors.families.imagen_editor.checkpoint import cascade_of
from editfoundry.editors.families.imagen_editor.pipeline import ImagenEditorPipeline

T5_XXL: dict[str, Any] = {
    "vocab_size": 32_128,
    "d_model": 4_096,
    "d_kv": 64,
    "d_ff": 10_240,
    "num_layers": 24,
    "num_heads": 64,
    "feed_forward_proj": "gated-gelu",
    "tie_word_embeddings": False,
}
"""google/t5-v1_1-xxl, Imagen's text encoder."""
UNETS: tuple[dict[str, Any], ...] = (
    {
        "sample_size": 64,
        "block_out_channels": (512, 1024, 1536, 2048),
        "layers_per_block": 3,
        "attends": (False, True, True, True),
        "cross_attention_dim": 1536,
    },
    {
        "sample_size": 256,
        "block_out_channels": (128, 256, 512, 1024),
        "layers_per_block": (2, 4, 5, 6),
        "attends": (False, False, False, True),
        "cross_attention_dim": 1024,
    },
    {
        "sample_size": 1024,
        "block_out_channels": (128, 256, 512, 1024),
        "layers_per_block": (2, 3, 3, 3),
        "attends": (False, False, False, True),
        "cross_attention_dim": 1024,
    },
)
"""Base and super-resolution; text is attended to where ``attends`` says, which is nowhere at large maps."""


def full_size_cascade(downsampling: str = "learned") -> ImagenEditorPipeline:
    """Build the cascade; inside ``torch.device("meta")`` it takes no memory. Its tokenizer is left out."""
    text_encoder = T5EncoderModel(T5Config(**T5_XXL))
    unets = [_unet(number > 0, **sizes) for number, sizes in enumerate(UNETS)]
    scheduler = DDIMScheduler(
        beta_schedule="squaredcos_cap_v2",
        prediction_type="epsilon",
        clip_sample=False,
        thresholding=True,
        sample_max_value=1.5,
    )
    return cascade_of(None, text_encoder, scheduler, unets, downsampling)


def parameter_counts(pipeline: ImagenEditorPipeline) -> dict[str, int]:
    """Return the numbers of a cascade's parts."""
    parts = {name: part for name, part in pipeline.components.items() if hasattr(part, "parameters")}
    return {name: sum(p.numel() for p in part.parameters()) for name, part in parts.items()}


def _unet(enlarges: bool, attends: tuple[bool, ...], **sizes: Any) -> UNet2DConditionModel:
    down = [f"{'SimpleCrossAttnDown' if own else 'ResnetDown'}sampleBlock2D" for own in attends]
    return UNet2DConditionModel(
        in_channels=6 if enlarges else 3,
        out_channels=3,
        down_block_types=[name.replace("CrossAttnDownsample", "CrossAttnDown") for name in down],
        up_block_types=["SimpleCrossAttnUpBlock2D" if own else "ResnetUpsampleBlock2D" for own in reversed(attends)],
        mid_block_type="UNetMidBlock2DSimpleCrossAttn",
        attention_head_dim=64,
        resnet_time_scale_shift="scale_shift",
        encoder_hid_dim=T5_XXL["d_model"],
        encoder_hid_dim_type="text_proj",
        class_embed_type="timestep" if enlarges else None,
        act_fn="gelu",
        **sizes,
    )
