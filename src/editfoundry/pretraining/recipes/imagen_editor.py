"""The embedded Imagen Editor: a cascade of 32 and 64 pixels that paints into holes of tinyworld's scenes."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPTokenizer

from editfoundry.editors.caption_training.object_masks import MASKINGS, mask_draws, padded_boxes
from editfoundry.editors.editing_defaults import EditingDefaults
from editfoundry.editors.families.imagen_editor.masked_picture import MaskedPictureEncoder
from editfoundry.editors.families.imagen_editor.options import DOWNSAMPLINGS
from editfoundry.editors.families.imagen_editor.pipeline import ImagenEditorPipeline
from editfoundry.editors.families.imagen_editor.stage import (
    CascadeStage,
    StageDraws,
    noise_levels,
    stage_loss,
    stage_of,
)
from editfoundry.errors import BadInputError
from editfoundry.pretraining.diffusion import normal_noise
from editfoundry.pretraining.drawn_pictures import as_pixels, cached_array, rendered
from editfoundry.pretraining.model_trainee import PretrainingConfig, PretrainingResult, fit
from editfoundry.pretraining.parallel_drawing import drawn, mapped
from editfoundry.pretraining.recipes.joint import training_scene
from editfoundry.pretraining.text import HIDDEN_SIZE, token_ids
from editfoundry.tinyworld.captioned_scenes import WHOLE_CAPTION_SHARE
from editfoundry.tinyworld.scene import IMAGE_SIZE, Scene, object_boxes
from editfoundry.tinyworld.scene_prompts import Prompt, scene_prompts

BASE_SIDE = 32
NUM_SCENES = 32_768
CAPTION_DROPOUT = 0.1
KNOWN_WEIGHT = 0.2
"""Weight of the loss outside the hole, which is soon learned: it only has to be copied."""
MOST_OBJECTS = 2
"""Boxes of a caption."""
ENLARGED_SHARE = 0.25
"""Of a batch, whose samples super-resolution learns from, too: it costs as much as the base, and is learned sooner."""


@dataclass(frozen=True, kw_only=True)
class ImagenEditorPretraining(PretrainingConfig):
    """The loop's settings, and which masks are drawn."""

    masking: str = "object"
    """``object``, or ``random``, the paper's baseline."""

    downsampling: str = "learned"
    """How picture and mask reach the base model: ``learned``, or ``bicubic``, the paper's baseline."""

    UNTOLD_AT_DEFAULT: ClassVar[frozenset[str]] = PretrainingConfig.UNTOLD_AT_DEFAULT | {"downsampling"}

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check(self.masking in MASKINGS, "masking", f"one of {', '.join(MASKINGS)}")
        self.check(self.downsampling in DOWNSAMPLINGS, "downsampling", f"one of {', '.join(DOWNSAMPLINGS)}")


CONFIG = ImagenEditorPretraining(
    num_steps=12_000, batch_size=32, learning_rate=1.5e-3, ema_decay=0.999, num_warmup_steps=200
)
ON_GPU = {"num_steps": 16_000, "batch_size": 256, "learning_rate": 2e-3, "mixed_precision": "bf16"}
EXAMPLES_ON_GPU = {"num_scenes": 65_536}
SAMPLING = EditingDefaults(
    options={
        "num_inference_steps": 25,
        "super_resolution_steps": 10,
        "guidance_scale": 2.0,
        "low_guidance_scale": 1.0,
        "super_resolution_guidance": 1.0,
        "noise_level": 50,
    },
    made_for=f"tinyworld's drawn pictures of {IMAGE_SIZE} pixels",
    side=IMAGE_SIZE,
)


class _Cascade(nn.Module):
    """Both stages, which are trained side by side: neither sees the other's output."""

    def __init__(self, base: CascadeStage, super_resolution: CascadeStage) -> None:
        super().__init__()
        self.base, self.super_resolution = base, super_resolution


@dataclass(frozen=True)
class _Batch:
    pictures: Tensor
    """``(B, 3, 64, 64)`` float in [-1, 1]."""
    holes: Tensor
    """``(B, 1, 64, 64)`` bool."""
    input_ids: Tensor
    """``(B, L)``."""

    def first(self, count: int) -> _Batch:
        """Return the first samples alone."""
        return _Batch(self.pictures[:count], self.holes[:count], self.input_ids[:count])


class _Examples:
    """Scenes with what can be asked for in them, all on the device that trains."""

    def __init__(self, work_dir: Path, tokenizer: CLIPTokenizer, device: torch.device, num_scenes: int) -> None:
        scenes, pictures, found = draw(work_dir, num_scenes)
        self.device = device
        self.pictures = torch.from_numpy(np.array(pictures)).to(device)
        prompts: list[Prompt] = []
        counts: list[int] = []
        for scene, rows in zip(scenes, found.tolist(), strict=True):
            own = scene_prompts(scene, [box if any(box) else None for box in rows[: len(scene.objects)]])
            prompts.extend(own)
            counts.append(len(own))
        self.num_prompts = torch.tensor(counts)
        self.input_ids = token_ids(tokenizer, [text for text, _ in prompts]).to(device)
        self.boxes = padded_boxes([boxes for _, boxes in prompts], MOST_OBJECTS).to(device)
        self.empty = token_ids(tokenizer, [""]).to(device)

    def batch(self, config: ImagenEditorPretraining, generator: torch.Generator) -> _Batch:
        """Draw scenes, prompts and masks; some prompts are dropped."""
        size = config.batch_size
        chosen = torch.randint(len(self.num_prompts), (size,), generator=generator)
        whole, place, dropped = torch.rand(3, size, generator=generator)
        # A scene's first prompt is its whole caption.
        others = self.num_prompts[chosen] - 1
        other = 1 + (place * others).long().clamp(max=others - 1)
        is_whole = (whole < WHOLE_CAPTION_SHARE) | (others == 0)
        first = self.num_prompts.cumsum(0)[chosen] - self.num_prompts[chosen]
        row = first + torch.where(is_whole, 0, other)
        row, chosen = row.to(self.device), chosen.to(self.device)
        ids = torch.where((dropped < CAPTION_DROPOUT)[:, None].to(self.device), self.empty, self.input_ids[row])
        masks = mask_draws(MASKINGS[config.masking], generator, size)
        return _Batch(as_pixels(self.pictures[chosen]), masks.draw(self.boxes[row], IMAGE_SIZE, IMAGE_SIZE), ids)


def train_imagen_editor(
    work_dir: Path,
    tokenizer: CLIPTokenizer,
    text_encoder: CLIPTextModel,
    device: torch.device,
    config: PretrainingConfig = CONFIG,
    num_scenes: int = NUM_SCENES,
) -> tuple[ImagenEditorPipeline, PretrainingResult]:
    """Train both stages on scenes of the training split; the text encoder is the painter's, and stays as it is.

    The boxes are the true ones: in tinyworld the detector would only add its mistakes.
    """
    if not isinstance(config, ImagenEditorPretraining):
        raise BadInputError("the cascade is trained by an ImagenEditorPretraining")
    examples = _Examples(work_dir, tokenizer, device, num_scenes)
    torch.manual_seed(config.seed)
    cascade: Any = _Cascade(build_base(config.downsampling), build_super_resolution())
    cascade.to(device, memory_format=torch.channels_last)
    text_encoder.requires_grad_(False).eval().to(device)
    scheduler = build_scheduler()

    def step_loss(model: Any, generator: torch.Generator) -> Tensor:
        batch = examples.batch(config, generator)
        with torch.no_grad():
            embeds = text_encoder(batch.input_ids)[0]
        known = (scheduler, batch.pictures, batch.holes, embeds)
        base = stage_loss(model.base, *known, _draws(batch, BASE_SIDE, generator), None, KNOWN_WEIGHT)
        part = batch.first(max(1, round(ENLARGED_SHARE * len(batch.pictures))))
        known = (scheduler, part.pictures, part.holes, embeds[: len(part.pictures)])
        draws = _draws(part, IMAGE_SIZE, generator, enlarges=True)
        return base + stage_loss(model.super_resolution, *known, draws, BASE_SIDE, KNOWN_WEIGHT)

    ending = "" if config.downsampling == "learned" else f"_{config.downsampling}"
    result = fit(cascade, step_loss, config, work_dir / f"imagen_editor_{config.masking}{ending}")
    pipeline = ImagenEditorPipeline(
        tokenizer=tokenizer,
        text_encoder=text_encoder,
        scheduler=scheduler,
        unet=cascade.base.unet,
        mask_encoder=cascade.base.mask_encoder,
        unet_2=cascade.super_resolution.unet,
        mask_encoder_2=cascade.super_resolution.mask_encoder,
    )
    return pipeline, result


def draw(work_dir: Path, num_scenes: int = NUM_SCENES) -> tuple[list[Scene], np.ndarray, np.ndarray]:
    """Return scenes, their pictures, ``(N, 64, 64, 3)`` uint8, and `scene_boxes`, ``(N, 2, 4)``; drawn once."""
    scenes = list(chain.from_iterable(mapped(training_scene, range(num_scenes))))
    path, shape = work_dir / "data" / f"boxes-{num_scenes}.npy", (num_scenes, MOST_OBJECTS, 4)
    pictures = rendered(work_dir / "data" / f"boxed-scenes-{num_scenes}.npy", scenes)
    return scenes, pictures, cached_array(path, shape, "float32", lambda: drawn(scene_boxes, scenes))


def scene_boxes(scene: Scene) -> np.ndarray:
    """Return the boxes of a scene's things, ``(2, 4)`` float32 as shares of its sides; zeros for what is hidden."""
    boxes = np.zeros((MOST_OBJECTS, 4), dtype=np.float32)
    for place, box in enumerate(object_boxes(scene)[:MOST_OBJECTS]):
        boxes[place] = np.zeros(4) if box is None else np.array(box) / IMAGE_SIZE
    return boxes


def build_base(downsampling: str = "learned") -> CascadeStage:
    """Return the untrained base model: attention at 16 x 16 and 8 x 8."""
    unet = UNet2DConditionModel(
        sample_size=BASE_SIDE,
        in_channels=3,
        out_channels=3,
        block_out_channels=(24, 48, 64),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=HIDDEN_SIZE,
        attention_head_dim=(2, 3, 4),
        norm_num_groups=8,
    )
    return stage_of(unet, MaskedPictureEncoder(1, 16, downsampling))


def build_super_resolution() -> CascadeStage:
    """Return the untrained super-resolution model: attention at 16 x 16 alone."""
    unet = UNet2DConditionModel(
        sample_size=IMAGE_SIZE,
        in_channels=6,
        out_channels=3,
        block_out_channels=(16, 24, 32),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D", "UpBlock2D"),
        cross_attention_dim=HIDDEN_SIZE,
        attention_head_dim=(1, 2, 2),
        norm_num_groups=8,
        class_embed_type="timestep",
    )
    return stage_of(unet, MaskedPictureEncoder(channels=8))


def build_scheduler() -> DDIMScheduler:
    """Return Imagen's schedule: cosine; v-prediction, and dynamic thresholding, which strong guidance needs."""
    return DDIMScheduler(
        beta_schedule="squaredcos_cap_v2",
        prediction_type="v_prediction",
        timestep_spacing="trailing",
        clip_sample=False,
        thresholding=True,
        sample_max_value=1.5,
    )


def _draws(batch: _Batch, side: int, generator: torch.Generator, enlarges: bool = False) -> StageDraws:
    like = batch.pictures[:, :, :side, :side]
    size, device = len(like), like.device
    noise = normal_noise(like.contiguous(), generator)
    timesteps = torch.randint(1000, (size,), generator=generator).to(device)
    if not enlarges:
        return StageDraws(noise, timesteps)
    level = noise_levels(size, generator).to(device)
    return StageDraws(noise, timesteps, normal_noise(like.contiguous(), generator), level)
