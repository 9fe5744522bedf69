"""The paper profile's architectures at full size, without their weights: tensors live on torch's ``meta`` device."""

import json
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL, ControlNetModel, UNet2DConditionModel
from tiny_sdxl import ip_adapter_tensors
from transformers import (
    CLIPConfig,
    CLIPModel,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
)

from editfoundry.diffusion.attention import cross_attention_sizes

PUBLISHED = Path(__file__).parent / "published"
CLASSES = {
    "sdxl_unet": UNet2DConditionModel,
    "sdxl_vae": AutoencoderKL,
    "sdxl_controlnet_canny": ControlNetModel,
    "sdxl_text_encoder": (CLIPTextModel, CLIPTextConfig),
    "sdxl_text_encoder_2": (CLIPTextModelWithProjection, CLIPTextConfig),
    "ip_adapter_sdxl_image_encoder": (CLIPVisionModelWithProjection, CLIPVisionConfig),
    "clip_vit_large_patch14": (CLIPModel, CLIPConfig),
    "sd15_unet": UNet2DConditionModel,
    "instruct_pix2pix_unet": UNet2DConditionModel,
}
COUNTS = {
    "sdxl_unet": 2_567_463_684,
    "sdxl_vae": 83_653_863,
    "sdxl_text_encoder": 123_060_480,
    "sdxl_text_encoder_2": 694_659_840,
    "clip_vit_large_patch14": 427_616_513,
    "sd15_unet": 859_520_964,
    # Four more input channels of 320 filters of 3 x 3.
    "instruct_pix2pix_unet": 859_520_964 + 4 * 320 * 9,
}
TENSORS = {
    "sdxl_unet": {
        "conv_in.weight": (320, 4, 3, 3),
        "add_embedding.linear_1.weight": (1280, 2816),
        "down_blocks.1.attentions.0.proj_in.weight": (640, 640),
        "down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k.weight": (640, 2048),
        "down_blocks.2.attentions.1.transformer_blocks.9.ff.net.0.proj.weight": (10240, 1280),
        "mid_block.attentions.0.transformer_blocks.9.attn2.to_out.0.bias": (1280,),
        "up_blocks.0.attentions.2.transformer_blocks.9.attn2.to_v.weight": (1280, 2048),
        "up_blocks.2.resnets.2.conv_shortcut.weight": (320, 640, 1, 1),
    },
    "sdxl_vae": {
        "encoder.down_blocks.3.resnets.1.conv2.weight": (512, 512, 3, 3),
        "decoder.mid_block.attentions.0.to_q.weight": (512, 512),
        "quant_conv.weight": (8, 8, 1, 1),
        "post_quant_conv.weight": (4, 4, 1, 1),
    },
    "sdxl_controlnet_canny": {
        "controlnet_cond_embedding.conv_in.weight": (16, 3, 3, 3),
        "controlnet_cond_embedding.conv_out.weight": (320, 256, 3, 3),
        "controlnet_down_blocks.8.weight": (1280, 1280, 1, 1),
        "controlnet_mid_block.weight": (1280, 1280, 1, 1),
        "add_embedding.linear_1.weight": (1280, 2816),
    },
    "ip_adapter_sdxl_image_encoder": {
        "vision_model.embeddings.patch_embedding.weight": (1664, 3, 14, 14),
        "vision_model.encoder.layers.47.mlp.fc1.weight": (8192, 1664),
        "visual_projection.weight": (1280, 1664),
    },
    "sdxl_text_encoder_2": {"text_projection.weight": (1280, 1280)},
    "clip_vit_large_patch14": {
        "visual_projection.weight": (768, 1024), "text_projection.weight": (768, 768), "logit_scale": (),
    },
    "instruct_pix2pix_unet": {"conv_in.weight": (320, 8, 3, 3)},
}  # fmt: skip


def built(name):
    config = json.loads((PUBLISHED / f"{name}.json").read_text())
    kind = CLASSES[name]
    with torch.device("meta"):
        if isinstance(kind, tuple):
            return kind[0](kind[1](**config))
        return kind.from_config(config)


def num_parameters(model):
    return sum(p.numel() for p in model.parameters())


@pytest.fixture(scope="module")
def sdxl_unet():
    return built("sdxl_unet")


@pytest.mark.parametrize("name", COUNTS)
def test_the_architecture_has_the_published_number_of_parameters(name):
    assert num_parameters(built(name)) == COUNTS[name]


@pytest.mark.parametrize(
    ("name", "millions"), [("sdxl_controlnet_canny", 1251), ("ip_adapter_sdxl_image_encoder", 1845)]
)
def test_models_published_by_their_size_in_millions_have_it(name, millions):
    assert num_parameters(built(name)) / 1e6 == pytest.approx(millions, abs=1)


@pytest.mark.parametrize("name", TENSORS)
def test_tensors_have_the_published_names_and_shapes(name):
    shapes = {key: tuple(tensor.shape) for key, tensor in built(name).state_dict().items()}
    assert {key: shapes.get(key) for key in TENSORS[name]} == TENSORS[name]


def test_sdxl_attends_to_text_at_64_and_32_of_its_128(sdxl_unet):
    sides = [height for height, _ in cross_attention_sizes(sdxl_unet, (128, 128)).values()]
    assert {side: sides.count(side) for side in sides} == {64: 10, 32: 60}


@pytest.mark.parametrize(
    ("name", "image_dim", "num_layers", "megabytes"), [("sdxl_unet", 1280, 70, 703), ("sd15_unet", 1024, 16, 44.6)]
)
def test_the_published_ip_adapters_fit_their_unets(name, image_dim, num_layers, megabytes):
    unet = built(name)
    with torch.device("meta"):
        tensors = ip_adapter_tensors(unet, image_dim)
    # float16, as published.
    assert sum(t.numel() for t in tensors.values()) * 2 / 1e6 == pytest.approx(megabytes, rel=0.005)
    keys = [key for key in tensors if key.endswith("to_k_ip.weight")]
    assert keys == [f"ip_adapter.{number}.to_k_ip.weight" for number in range(1, 2 * num_layers, 2)]
    parts = {
        part: {k.removeprefix(f"{part}."): v for k, v in tensors.items() if k.startswith(f"{part}.")}
        for part in ("image_proj", "ip_adapter")
    }
    with torch.device("meta"):
        unet._load_ip_adapter_weights([parts], low_cpu_mem_usage=False)
    adapters = [p for p in unet.attn_processors.values() if hasattr(p, "to_k_ip")]
    assert len(adapters) == num_layers
    assert sum(num_parameters(p) for p in adapters) + num_parameters(unet.encoder_hid_proj) == sum(
        t.numel() for t in tensors.values()
    )
