"""The roles ``text_to_image`` and ``editor_base``, trained as one network.

InstructPix2Pix's widened UNet with its image latents at zero *is* a text-to-image model, so one network learns both:
half of each batch is captioned scenes without an image, half is plain edits. Shipped apart, the painter is the same
UNet without its image channels, which are zero when it paints; the editor keeps them. World rules are in neither half.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import (
    AutoencoderKL,
    StableDiffusionInstructPix2PixPipeline,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from torch import Tensor, nn
from transformers import CLIPTokenizer

from editfoundry.editors.families.instruct_pix2pix.widen import widen_conv_in
from editfoundry.pretraining.diffusion import (
    Denoiser,
    build_scheduler,
    build_unet,
    cached_latents,
    draw_ahead,
    noised,
    take_over_fitting,
)
from editfoundry.pretraining.model_trainee import PretrainingConfig, PretrainingResult, fit
from editfoundry.pretraining.parallel_drawing import mapped
from editfoundry.pretraining.text import build_text_encoder, build_tokenizer, token_ids
from editfoundry.tinyworld.backgrounds import all_backgrounds
from editfoundry.tinyworld.edits import Edit, sample_plain_edit, sample_state_edit
from editfoundry.tinyworld.scene import Scene
from editfoundry.tinyworld.scene_sampling import is_held_out, random_stream, sample_scene

NUM_SCENES = 32_768
NUM_EDITS = 40_960
CAPTION_DROPOUT = 0.1
CONDITIONING_DROPOUT = 0.05
STATE_SHARE = 0.25
"""Share of the edits that name a thing and its new state alone: the rest of it has to stay."""
OBJECT_WEIGHT = 4.0
"""Weight of the loss where objects stand, or something changes; 1 elsewhere. Backgrounds fill most of every picture,
are few, and are learned long before the objects."""
OBJECT_THRESHOLD = 0.25
"""Mean difference of scaled latents, from the empty background or from the input, from which a place is an object."""
NUM_PAINTING_STEPS = 1_800
"""Steps at the start in which the whole batch is captioned scenes."""
CONFIG = PretrainingConfig(num_steps=16_000, batch_size=32, learning_rate=1.5e-3, ema_decay=0.999, num_warmup_steps=200)
ON_GPU = {"num_steps": 16_000, "batch_size": 768, "learning_rate": 1.8e-3, "mixed_precision": "bf16"}
SCENES, INPUTS, OUTPUTS = "latents", "edit-inputs", "edit-outputs"
"""Names of the cached latents."""
EXAMPLES_ON_GPU = {"num_scenes": 65_536, "num_edits": 131_072}
"""A GPU sees so many samples that it would know fewer by heart."""


@dataclass(frozen=True)
class _Batch:
    """Scaled latents of targets and reference, unscaled ones of images, ``(B, C, 16, 16)``, and tokens ``(B, L)``."""

    targets: Tensor
    images: Tensor
    """Zeros where there is no image, or it is dropped."""
    input_ids: Tensor
    reference: Tensor
    """What the targets are told from to see where things are: the empty background, or the picture to edit."""


class _Examples:
    """Cached latents and tokens of captioned scenes and of plain edits, all on the device that trains."""

    def __init__(
        self,
        work_dir: Path,
        vae: AutoencoderKL,
        tokenizer: CLIPTokenizer,
        device: torch.device,
        num_scenes: int = NUM_SCENES,
        num_edits: int = NUM_EDITS,
    ) -> None:
        scenes, edits = _drawn_up(num_scenes, num_edits)
        empty = [Scene(background=background) for background in all_backgrounds()]
        number = {scene.background: i for i, scene in enumerate(empty)}

        def latents(name: str, pictured: list[Scene]) -> Tensor:
            return torch.from_numpy(np.array(cached_latents(work_dir / "data", name, pictured, vae, device))).to(device)

        def tokens(texts: list[str]) -> Tensor:
            return token_ids(tokenizer, texts).to(device)

        self.device, self.scale = device, float(vae.config.scaling_factor)
        self.backgrounds = latents("backgrounds", empty)
        self.scene_backgrounds = torch.tensor([number[scene.background] for scene in scenes], device=device)
        self.output_backgrounds = torch.tensor([number[edit.after.background] for edit in edits], device=device)
        self.scenes = latents(SCENES, scenes)
        self.captions = tokens([scene.caption for scene in scenes])
        self.inputs = latents(INPUTS, [edit.before for edit in edits])
        self.outputs = latents(OUTPUTS, [edit.after for edit in edits])
        self.instructions = tokens([edit.instruction for edit in edits])
        self.empty = tokens([""])

    def paintings(self, count: int, generator: torch.Generator) -> _Batch:
        """Draw captioned scenes, some of the captions dropped."""
        chosen = torch.randint(len(self.captions), (count,), generator=generator).to(self.device)
        targets = self._scaled(self.scenes[chosen])
        dropped = (torch.rand(count, 1, generator=generator) < CAPTION_DROPOUT).to(self.device)
        ids = torch.where(dropped, self.empty, self.captions[chosen])
        reference = self._scaled(self.backgrounds[self.scene_backgrounds[chosen]])
        return _Batch(targets, torch.zeros_like(targets), ids, reference)

    def edits(self, count: int, generator: torch.Generator) -> _Batch:
        """Draw plain edits with InstructPix2Pix's 5/5/5 dropout."""
        chosen = torch.randint(len(self.instructions), (count,), generator=generator).to(self.device)
        targets, inputs = self._scaled(self.outputs[chosen]), self.inputs[chosen].float()
        draw = torch.rand(count, generator=generator).to(self.device)
        no_text = draw < 2 * CONDITIONING_DROPOUT
        no_image = (draw >= CONDITIONING_DROPOUT) & (draw < 3 * CONDITIONING_DROPOUT)
        ids = torch.where(no_text[:, None], self.empty, self.instructions[chosen])
        background = self._scaled(self.backgrounds[self.output_backgrounds[chosen]])
        reference = _farther(targets, self._scaled(inputs), background)
        return _Batch(targets, inputs * (~no_image)[:, None, None, None], ids, reference)

    def _scaled(self, latents: Tensor) -> Tensor:
        return latents.float() * self.scale


def train_diffusion(
    work_dir: Path,
    vae: AutoencoderKL,
    device: torch.device,
    config: PretrainingConfig = CONFIG,
    start: StableDiffusionInstructPix2PixPipeline | None = None,
    num_scenes: int = NUM_SCENES,
    num_edits: int = NUM_EDITS,
) -> tuple[StableDiffusionPipeline, StableDiffusionInstructPix2PixPipeline, PretrainingResult]:
    """Train on the training split; return the painter, the editor and what the training took.

    With ``start``, an editor trained here before, its weights and tokenizer are where training begins; those of the
    layers that see latents only where its latents have as many channels. Its text encoder stays as it is.
    """
    tokenizer = build_tokenizer(work_dir) if start is None else start.tokenizer
    examples = _Examples(work_dir, vae, tokenizer, device, num_scenes, num_edits)
    model: Any = build_denoiser(tokenizer, vae.config.latent_channels, config.seed)
    if start is not None:
        take_over(model, start)
        # Other models were trained on what it says, and go on sharing it.
        model.text_encoder.requires_grad_(False)
    model.to(device, memory_format=torch.channels_last)
    scheduler = build_scheduler()

    def step_loss(denoiser: nn.Module, generator: torch.Generator) -> Tensor:
        batch = _batch(examples, config, generator, painting_only=start is None)
        noisy, timesteps, velocity = noised(scheduler, batch.targets, generator)
        widened = torch.cat([noisy, batch.images], dim=1).contiguous(memory_format=torch.channels_last)
        error = denoiser(widened, timesteps, batch.input_ids).float() - velocity
        return weighted_loss(error, object_weights(batch.targets, batch.reference))

    result = fit(model, step_loss, config, work_dir / "diffusion")
    return painter_of(model, vae, tokenizer), editor_of(model, vae, tokenizer), result


def draw(work_dir: Path, num_scenes: int = NUM_SCENES, num_edits: int = NUM_EDITS) -> None:
    """Draw all pictures, which training then only encodes."""
    scenes, edits = _drawn_up(num_scenes, num_edits)
    draw_ahead(work_dir / "data", SCENES, scenes)
    draw_ahead(work_dir / "data", INPUTS, [edit.before for edit in edits])
    draw_ahead(work_dir / "data", OUTPUTS, [edit.after for edit in edits])


def _drawn_up(num_scenes: int, num_edits: int) -> tuple[list[Scene], list[Edit]]:
    scenes = chain.from_iterable(mapped(training_scene, range(num_scenes)))
    edits = chain.from_iterable(mapped(training_edit, range(num_edits)))
    return list(scenes), list(edits)


def training_scene(number: int) -> Scene:
    """Return one of the scenes that the painter learns from."""
    return sample_scene(random_stream("pictures", "train", number))


def training_edit(number: int) -> Edit:
    """Return one of the plain edits that the editor learns from."""
    random = random_stream("plain", "train", number)
    if random.random() >= STATE_SHARE:
        return sample_plain_edit(random, "train")
    while True:
        edit = sample_state_edit(random, "train")
        # What the test shows is in no training picture, before or after.
        if not is_held_out(edit.after):
            return edit


def object_weights(latents: Tensor, reference: Tensor) -> Tensor:
    """Return the loss's ``(B, 1, H, W)`` weights, higher where ``(B, C, H, W)`` scaled latents differ."""
    differs = (latents - reference).abs().mean(1, keepdim=True) > OBJECT_THRESHOLD
    return 1 + (OBJECT_WEIGHT - 1) * differs.float()


def weighted_loss(error: Tensor, weights: Tensor) -> Tensor:
    """Return the weighted mean of the squared ``(B, C, H, W)`` error; ``weights`` is ``(B, 1, H, W)``."""
    return (weights * error.square()).mean(1).sum() / weights.sum()


def _batch(examples: _Examples, config: PretrainingConfig, generator: torch.Generator, painting_only: bool) -> _Batch:
    step = generator.initial_seed() - config.seed * 1_000_003
    if painting_only and step < NUM_PAINTING_STEPS:
        return examples.paintings(config.batch_size, generator)
    half = config.batch_size // 2
    parts = (examples.paintings(config.batch_size - half, generator), examples.edits(half, generator))
    return _Batch(*(torch.cat([getattr(part, field.name) for part in parts]) for field in fields(_Batch)))


def _farther(targets: Tensor, images: Tensor, background: Tensor) -> Tensor:
    """Return, place by place, that of the two references which the targets are farther from."""
    from_images = (targets - images).abs().mean(1, keepdim=True)
    return torch.where(from_images > (targets - background).abs().mean(1, keepdim=True), images, background)


def build_denoiser(tokenizer: CLIPTokenizer, latent_channels: int, seed: int) -> Denoiser:
    """Return the untrained widened model, initialised from ``seed``."""
    torch.manual_seed(seed)
    return Denoiser(widen_conv_in(build_unet(latent_channels)), build_text_encoder(tokenizer))


def take_over(model: Denoiser, start: StableDiffusionInstructPix2PixPipeline) -> None:
    """Give ``model`` the weights of an editor, but those whose shape is another one because its latents are."""
    take_over_fitting(model.unet, start.unet)
    take_over_fitting(model.text_encoder, start.text_encoder)


def painter_of(model: Denoiser, vae: AutoencoderKL, tokenizer: CLIPTokenizer) -> StableDiffusionPipeline:
    """Return the text-to-image pipeline: the UNet without its image channels, exact where those are zero."""
    unet = build_unet(vae.config.latent_channels)
    weights = dict(model.unet.state_dict())
    weights["conv_in.weight"] = weights["conv_in.weight"][:, : unet.config.in_channels]
    unet.load_state_dict(weights)
    return StableDiffusionPipeline(unet=unet, **_parts(model, vae, tokenizer))


def editor_of(model: Denoiser, vae: AutoencoderKL, tokenizer: CLIPTokenizer) -> StableDiffusionInstructPix2PixPipeline:
    """Return the editor's pipeline."""
    unet: UNet2DConditionModel = model.unet
    return StableDiffusionInstructPix2PixPipeline(unet=unet, **_parts(model, vae, tokenizer))


def _parts(model: Denoiser, vae: AutoencoderKL, tokenizer: CLIPTokenizer) -> dict[str, Any]:
    return {
        "vae": vae,
        "text_encoder": model.text_encoder,
        "tokenizer": tokenizer,
        "scheduler": build_scheduler(),
        "safety_checker": None,
        "feature_extractor": None,
        "requires_safety_checker": False,
    }
