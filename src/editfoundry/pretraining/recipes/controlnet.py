"""The role ``controlnet_canny``: edges of the target picture steer the frozen embedded painter (Zhang et al. 2023)."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from diffusers import ControlNetModel, UNet2DConditionModel
from PIL import Image
from torch import Tensor, nn

from editfoundry.data.canny_edges import canny_edges
from editfoundry.diffusion.canny import control_images
from editfoundry.diffusion.decoding import decode
from editfoundry.diffusion.image_conditions import ImageConditions
from editfoundry.diffusion.prompt_embeds import encode_prompts
from editfoundry.diffusion.sampling import denoise, noise_for, record_generator
from editfoundry.pretrained.controlnet_canny import load_controlnet_canny
from editfoundry.pretrained.runtime import Runtime
from editfoundry.pretrained.text_to_image import load_text_to_image
from editfoundry.pretraining.diffusion import cached_latents, noised
from editfoundry.pretraining.drawn_pictures import cached_array
from editfoundry.pretraining.model_trainee import PretrainingConfig, PretrainingResult, fit
from editfoundry.pretraining.parallel_drawing import drawn, mapped
from editfoundry.pretraining.recipes.joint import NUM_SCENES, training_scene
from editfoundry.pretraining.text import token_ids
from editfoundry.profiles import Profile
from editfoundry.tinyworld.scene import IMAGE_SIZE, Scene, render
from editfoundry.tinyworld.scene_sampling import random_stream, sample_scene

CAPTION_DROPOUT = 0.5
"""Share of prompts left empty, as published, so that edges are understood without words."""
EMBEDDING_CHANNELS = (8, 16, 24)
"""Three levels, which bring 64 px to the latents' 16."""
CONFIG = PretrainingConfig(num_steps=900, batch_size=24, learning_rate=1e-3, ema_decay=0.995)
ON_GPU = {"num_steps": 4000, "batch_size": 128, "mixed_precision": "bf16"}
NUM_MEASURED = 128
_NEAR = np.ones((3, 3), dtype=np.uint8)


def build_controlnet(unet: UNet2DConditionModel) -> ControlNetModel:
    """Return the untrained ControlNet: a copy of the UNet's encoder, its output layers at zero."""
    return ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=EMBEDDING_CHANNELS)


def train_controlnet(
    work_dir: Path,
    painter: Any,
    device: torch.device,
    config: PretrainingConfig = CONFIG,
    num_scenes: int = NUM_SCENES,
) -> tuple[ControlNetModel, PretrainingResult]:
    """Train on captioned scenes of the training split with the painter's UNet and text encoder frozen.

    They are the scenes that the painter learnt from, whose cached latents are used again.
    """
    scenes = list(chain.from_iterable(mapped(training_scene, range(num_scenes))))
    data = work_dir / "data"
    latents = cached_latents(data, "latents", scenes, painter.vae, device)
    shape = (num_scenes, IMAGE_SIZE, IMAGE_SIZE)
    edges = cached_array(data / f"edges-{num_scenes}.npy", shape, "uint8", lambda: drawn(scene_edges, scenes))
    captions = token_ids(painter.tokenizer, [scene.caption for scene in scenes])
    empty = token_ids(painter.tokenizer, [""])
    torch.manual_seed(config.seed)
    controlnet: Any = build_controlnet(painter.unet).to(device)
    painter.unet.requires_grad_(False)

    def step_loss(model: nn.Module, generator: torch.Generator) -> Tensor:
        chosen = torch.randint(num_scenes, (config.batch_size,), generator=generator)
        dropped = torch.rand(config.batch_size, 1, generator=generator) < CAPTION_DROPOUT
        ids = torch.where(dropped, empty, captions[chosen])
        targets = torch.from_numpy(latents[chosen.numpy()]).float() * painter.vae.config.scaling_factor
        control = torch.from_numpy(edges[chosen.numpy()]).float()[:, None].expand(-1, 3, -1, -1) / 255
        return steered_loss(model, painter, targets.to(device), ids.to(device), control.to(device), generator)

    result = fit(controlnet, step_loss, config, work_dir / "controlnet_canny")
    return controlnet, result


def scene_edges(scene: Scene) -> np.ndarray:
    """Return the canny edges of a scene's picture, ``(64, 64)`` uint8, 0 or 255."""
    return canny_edges(Image.fromarray(render(scene)))


def steered_loss(
    controlnet: nn.Module, painter: Any, latents: Tensor, input_ids: Tensor, control: Tensor, generator: torch.Generator
) -> Tensor:
    """Return the error of v as the frozen UNet predicts it with the ControlNet's residuals.

    Args:
        controlnet: what is trained.
        painter: whose UNet, text encoder and scheduler are used.
        latents: ``(B, C, 16, 16)`` scaled.
        input_ids: ``(B, L)``.
        control: ``(B, 3, 64, 64)`` float in [0, 1].
        generator: draws noise and timesteps.
    """
    noisy, timesteps, velocity = noised(painter.scheduler, latents, generator)
    with torch.no_grad():
        prompt_embeds = painter.text_encoder(input_ids)[0]
    down, mid = controlnet(noisy, timesteps, prompt_embeds, controlnet_cond=control, return_dict=False)
    predicted = painter.unet(
        noisy,
        timesteps,
        prompt_embeds,
        down_block_additional_residuals=down,
        mid_block_additional_residual=mid,
        return_dict=False,
    )[0]
    return nn.functional.mse_loss(predicted.float(), velocity)


def measure_controlnet(profile: Profile, runtime: Runtime, num_scenes: int = NUM_MEASURED) -> dict[str, float]:
    """Return how well edges of held-out scenes are kept in pictures painted with and without them."""
    painter = load_text_to_image(profile, runtime)
    controlnet = load_controlnet_canny(profile, runtime, painter.unet)
    scenes = [sample_scene(random_stream("measure", "test", i), "test") for i in range(num_scenes)]
    pictures = [Image.fromarray(render(scene)) for scene in scenes]
    noise = noise_for(painter, [record_generator(0, str(i), "measure", 0) for i in range(num_scenes)])
    prompts = encode_prompts(painter, [scene.caption for scene in scenes])
    conditions = ImageConditions(controlnet=controlnet, control_images=control_images(pictures).to(noise.latents))
    measures = {}
    for name, steered in (("edge_agreement", conditions), ("edge_agreement_without", None)):
        painted = decode(painter, denoise(painter, prompts, noise, 20, 4.0, conditions=steered))
        measures[name] = float(np.mean([edge_agreement(a, b) for a, b in zip(painted, pictures, strict=True)]))
    return measures


def edge_agreement(first: Image.Image, second: Image.Image) -> float:
    """Return the F1 score in [0, 1] of two RGB pictures' canny edges, one pixel of displacement forgiven."""
    one, other = canny_edges(first) > 0, canny_edges(second) > 0
    precision = _share_near(one, other)
    recall = _share_near(other, one)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _share_near(edges: np.ndarray, others: np.ndarray) -> float:
    if not edges.any():
        return float(not others.any())
    return float((cv2.dilate(others.astype(np.uint8), _NEAR) > 0)[edges].mean())
