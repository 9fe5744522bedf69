"""The role ``ip_adapter``: what a picture shows steers the frozen embedded painter (Ye et al. 2023).

The image features are those of a scene's *twin*, which has one object in another state. So what pays is to carry over
what both share, kind, colour and place, and to leave the state to the caption.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import IPAdapterAttnProcessor2_0
from diffusers.models.embeddings import ImageProjection, MultiIPAdapterImageProjection
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn

from editfoundry.diffusion.decoding import decode
from editfoundry.diffusion.image_conditions import ImageConditions
from editfoundry.diffusion.prompt_embeds import encode_prompts
from editfoundry.diffusion.sampling import denoise, noise_for, record_generator
from editfoundry.pretrained.clip import load_clip
from editfoundry.pretrained.ip_adapter import install_adapter, load_ip_adapter
from editfoundry.pretrained.runtime import Runtime
from editfoundry.pretrained.text_to_image import load_text_to_image
from editfoundry.pretraining.diffusion import cached_latents, noised
from editfoundry.pretraining.drawn_pictures import cached_array
from editfoundry.pretraining.model_trainee import PretrainingConfig, PretrainingResult, fit, weights_hash
from editfoundry.pretraining.parallel_drawing import drawn
from editfoundry.pretraining.recipes.clip import twin_scenes
from editfoundry.pretraining.text import token_ids
from editfoundry.profiles import Profile
from editfoundry.tinyworld.scene import Scene, render

NUM_PAIRS = 8_192
NUM_TOKENS = 4
"""Image tokens, as in the published adapters."""
BACKGROUND_SHARE = 0.4
"""Share of samples whose caption names the background alone."""
EMPTY_SHARE = 0.1
IMAGE_DROPOUT = 0.1
SUBFOLDER, WEIGHT_NAME = "models", "ip-adapter_sd15.safetensors"
"""The published adapters' layout."""
CONFIG = PretrainingConfig(num_steps=600, batch_size=24, learning_rate=1e-3, ema_decay=0.995)
ON_GPU = {"num_steps": 4000, "batch_size": 128, "mixed_precision": "bf16"}
NUM_MEASURED = 128


class AdapterWeights(nn.Module):
    """What is trained: the projection of image features to tokens, and keys and values for them in every layer."""

    def __init__(self, unet: UNet2DConditionModel, image_dim: int) -> None:
        super().__init__()
        width: Any = unet.config.cross_attention_dim
        self.projection = ImageProjection(image_dim, width, NUM_TOKENS)
        self.names = [name for name in unet.attn_processors if name.endswith("attn2.processor")]
        self.layers = nn.ModuleList([_layer_of(unet, name, width) for name in self.names])

    def install(self, unet: UNet2DConditionModel) -> None:
        """Let the UNet attend to image tokens through these weights."""
        processors = {**unet.attn_processors, **dict(zip(self.names, self.layers, strict=True))}
        install_adapter(unet, processors, MultiIPAdapterImageProjection([self.projection]), "ip_image_proj")


def train_ip_adapter(
    work_dir: Path,
    painter: Any,
    image_encoder: Any,
    feature_extractor: Any,
    device: torch.device,
    config: PretrainingConfig = CONFIG,
    num_pairs: int = NUM_PAIRS,
) -> tuple[dict[str, Tensor], PretrainingResult]:
    """Train on twin scenes of the training split with UNet and encoders frozen; return the published tensors."""
    scenes, data = twin_scenes("train", num_pairs), work_dir / "data"
    latents = cached_latents(data, "twin-latents", scenes, painter.vae, device)
    features = _cached_features(data, scenes, image_encoder, feature_extractor)
    captions, backgrounds, empty = (
        token_ids(painter.tokenizer, texts)
        for texts in ([s.caption for s in scenes], [s.background.phrase for s in scenes], [""])
    )
    painter.unet.requires_grad_(False)
    torch.manual_seed(config.seed)
    adapter = AdapterWeights(painter.unet, features.shape[1]).to(device)
    names = list(painter.unet.attn_processors)
    adapter.install(painter.unet)

    def step_loss(_: nn.Module, generator: torch.Generator) -> Tensor:
        chosen = torch.randint(2 * num_pairs, (config.batch_size,), generator=generator)
        draw = torch.rand(config.batch_size, 1, generator=generator)
        ids = torch.where(draw < BACKGROUND_SHARE, backgrounds[chosen], captions[chosen])
        ids = torch.where(draw >= 1 - EMPTY_SHARE, empty, ids)
        kept = torch.rand(config.batch_size, 1, generator=generator) >= IMAGE_DROPOUT
        # A scene and its twin lie at 2k and 2k + 1.
        twins = torch.from_numpy(features[(chosen ^ 1).numpy()]).float() * kept
        targets = torch.from_numpy(latents[chosen.numpy()]).float() * painter.vae.config.scaling_factor
        return carried_loss(painter, targets.to(device), ids.to(device), twins.to(device), generator)

    result = fit(adapter, step_loss, config, work_dir / "ip_adapter")
    return published_tensors(adapter, names), result


def carried_loss(
    painter: Any, latents: Tensor, input_ids: Tensor, image_embeds: Tensor, generator: torch.Generator
) -> Tensor:
    """Return the error of v as the UNet, with the adapter in it, predicts it.

    Args:
        painter: whose UNet, text encoder and scheduler are used.
        latents: ``(B, C, 16, 16)`` scaled.
        input_ids: ``(B, L)``.
        image_embeds: ``(B, D)``, zeros where the image is dropped.
        generator: draws noise and timesteps.
    """
    noisy, timesteps, velocity = noised(painter.scheduler, latents, generator)
    with torch.no_grad():
        prompt_embeds = painter.text_encoder(input_ids)[0]
    added = {"image_embeds": [image_embeds[:, None]]}
    predicted = painter.unet(noisy, timesteps, prompt_embeds, added_cond_kwargs=added, return_dict=False)[0]
    return nn.functional.mse_loss(predicted.float(), velocity)


def published_tensors(adapter: AdapterWeights, processor_names: Sequence[str]) -> dict[str, Tensor]:
    """Return the weights under the names of the published adapters.

    Layers are numbered by their place among all the UNet's attention processors: 1, 3, 5, ...
    """
    projection = adapter.projection.state_dict()
    tensors = {f"image_proj.{key.replace('image_embeds', 'proj')}": value for key, value in projection.items()}
    for name, layer in zip(adapter.names, adapter.layers, strict=True):
        number = list(processor_names).index(name)
        for part in ("to_k_ip", "to_v_ip"):
            tensors[f"ip_adapter.{number}.{part}.weight"] = getattr(layer, part)[0].weight
    return {key: value.detach().half().contiguous().cpu() for key, value in tensors.items()}


def save_ip_adapter(tensors: dict[str, Tensor], folder: Path) -> dict[str, int]:
    """Write the tensors as ``models/ip-adapter_sd15.safetensors`` and return the number of parameters."""
    (folder / SUBFOLDER).mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / SUBFOLDER / WEIGHT_NAME)
    return {"adapter": sum(tensor.numel() for tensor in tensors.values())}


def measure_ip_adapter(profile: Profile, runtime: Runtime, num_pairs: int = NUM_MEASURED) -> dict[str, float]:
    """Return CLIP's similarity of pictures to a held-out scene of which they are told the background alone.

    They are painted with and without the features of the scene's twin.
    """
    painter, clip = load_text_to_image(profile, runtime), load_clip(profile, runtime)
    adapter = load_ip_adapter(profile, runtime, painter)
    pictures = [Image.fromarray(render(scene)) for scene in twin_scenes("test", num_pairs)]
    backgrounds = [scene.background.phrase for scene in twin_scenes("test", num_pairs)[::2]]
    noise = noise_for(painter, [record_generator(0, str(i), "measure", 0) for i in range(num_pairs)])
    like, prompts, wanted = noise.latents, encode_prompts(painter, backgrounds), clip.encode_images(pictures[::2])
    present, absent = adapter.encode_images(pictures[1::2])
    conditions = ImageConditions(image_embeds=present.to(like), negative_image_embeds=absent.to(like))
    without = decode(painter, denoise(painter, prompts, noise, 20, 4.0))
    with adapter.applied(1.0):
        carried = decode(painter, denoise(painter, prompts, noise, 20, 4.0, conditions=conditions))
    return {
        "clip_image_similarity": float((clip.encode_images(carried) * wanted).sum(-1).mean()),
        "clip_image_similarity_without": float((clip.encode_images(without) * wanted).sum(-1).mean()),
    }


def _layer_of(unet: UNet2DConditionModel, name: str, width: int) -> IPAdapterAttnProcessor2_0:
    attention: Any = unet.get_submodule(name.removesuffix(".processor"))
    layer = IPAdapterAttnProcessor2_0(attention.to_k.out_features, width, num_tokens=(NUM_TOKENS,))
    # As published: image tokens begin by being read as text tokens are.
    layer.to_k_ip[0].load_state_dict({"weight": attention.to_k.weight.detach().clone()})
    layer.to_v_ip[0].load_state_dict({"weight": attention.to_v.weight.detach().clone()})
    return layer


@torch.no_grad()
def _cached_features(folder: Path, scenes: Sequence[Scene], encoder: Any, feature_extractor: Any) -> np.ndarray:
    """Return ``(N, D)`` float32 image embeddings of the scenes' pictures, computed once for each encoder."""

    def embeds(pictures: np.ndarray) -> np.ndarray:
        images = [Image.fromarray(picture) for picture in pictures]
        pixels = feature_extractor(images=images, return_tensors="pt")["pixel_values"].to(encoder.device)
        found: Tensor = encoder(pixel_values=pixels).image_embeds
        return found.cpu().numpy()

    path = folder / f"twin-features-{len(scenes)}-{weights_hash(encoder)[:12]}.npy"
    shape = (len(scenes), encoder.config.projection_dim)
    return cached_array(path, shape, "float32", lambda: map(embeds, drawn(render, scenes)))
