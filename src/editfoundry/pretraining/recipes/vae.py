"""The autoencoder of the embedded models: 64 x 64 pixels to a latent of 16 x 16 x 12."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from editfoundry.pretraining.diffusion import normal_noise
from editfoundry.pretraining.drawn_pictures import as_pixels, cached_array, rendered, to_pixels
from editfoundry.pretraining.model_trainee import PretrainingConfig, PretrainingResult, first_part, fit, weights_hash
from editfoundry.pretraining.parallel_drawing import drawn
from editfoundry.tinyworld.scene import IMAGE_SIZE
from editfoundry.tinyworld.scene_sampling import Split, random_stream, sample_scene
from editfoundry.tinyworld.tasks.task_sampling import MADE_TASKS, sample_task_edit

NUM_PICTURES = 16_384
TASK_SHARE = 1 / 3
"""Share of the pictures that are outcomes of Emu Edit's tasks: maps, styles and signs, which no scene looks like."""
LATENT_CHANNELS = 12
"""So many principal components tell patches of 4 x 4 pixels to 30 dB, 8 to 27, 16 to 32; fewer are easier to paint."""
KL_WEIGHT = 1e-4
"""Beside the log of the squared error."""
CONFIG = PretrainingConfig(num_steps=24_000, batch_size=16, learning_rate=1e-3, weight_decay=0.0, ema_decay=0.998)
DECODER_CONFIG = replace(CONFIG, num_steps=6_000, learning_rate=5e-4, ema_decay=0.995, seed=1)
ON_GPU = {"num_steps": 12_000, "batch_size": 256, "mixed_precision": "bf16"}
DECODER_ON_GPU = {"num_steps": 16_000, "batch_size": 256, "mixed_precision": "bf16"}
EXAMPLES_ON_GPU = {"num_pictures": 49_152}
DECODER_EXAMPLES_ON_GPU = {"num_pictures": 147_456}
"""It knows fewer by heart: to 37.6 dB, where others get 35.8."""
DECODER_STEPS = 0.25
"""Steps of the decoder alone, as a share of those before."""
DECODER_SHARE = 0.2
"""The same of the time, where a training has to be over at one."""
TAKE_OVER_PICTURES = 128
NEW_CHANNEL_SCALE = 0.1
"""Of the decoder's random weights for channels that it gets newly."""
NEW_LOG_VARIANCE = -8.0
"""Of the posterior, of a channel that an autoencoder gets newly: little noise, until training says otherwise."""
PixelLoss = Callable[[Any, Tensor, torch.Generator], Tensor]


def build_vae(latent_channels: int = LATENT_CHANNELS) -> AutoencoderKL:
    """Return an untrained autoencoder of the embedded size."""
    return AutoencoderKL(
        latent_channels=latent_channels,
        block_out_channels=(16, 32, 64),
        layers_per_block=1,
        norm_num_groups=8,
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        sample_size=IMAGE_SIZE,
    )


def train_vae(
    work_dir: Path,
    device: torch.device,
    config: PretrainingConfig = CONFIG,
    shipped: Path | None = None,
    num_pictures: int = NUM_PICTURES,
) -> tuple[AutoencoderKL, PretrainingResult]:
    """Train the autoencoder on rendered scenes of the training split, then its decoder alone.

    With ``shipped``, an autoencoder of as many or fewer channels, its weights are where training begins.
    """
    pictures = training_pictures(work_dir / "data", num_pictures)
    torch.manual_seed(config.seed)
    vae: Any = build_vae()
    if shipped is not None:
        old = AutoencoderKL.from_pretrained(shipped, torch_dtype=torch.float32)
        change_once(
            vae, lambda: take_over(vae, old, pictures), work_dir / "data", f"vae-start-{weights_hash(old)[:12]}"
        )
    vae.to(device, memory_format=torch.channels_last)
    first = first_part(config, config, 1 - DECODER_SHARE)
    result = fit(vae, _loss_on(pictures, first, device, vae_loss), first, work_dir / "vae")
    centred = f"vae-centred-{weights_hash(vae)[:12]}"
    change_once(vae, lambda: centre(vae, pictures, device), work_dir / "data", centred)
    set_scaling_factor(vae, pictures, device)
    decoder_config = replace(
        DECODER_CONFIG,
        batch_size=config.batch_size,
        num_steps=max(1, round(config.num_steps * DECODER_STEPS)),
        mixed_precision=config.mixed_precision,
        ends_at=config.ends_at,
    )
    return polish_decoder(work_dir, vae, device, decoder_config, num_pictures)[0], result


def polish_decoder(
    work_dir: Path,
    vae: AutoencoderKL,
    device: torch.device,
    config: PretrainingConfig = DECODER_CONFIG,
    num_pictures: int = NUM_PICTURES,
    name: str = "vae_decoder",
) -> tuple[AutoencoderKL, PretrainingResult]:
    """Train the decoder on for PSNR, the encoder frozen; latents, and whatever was trained on them, stay valid.

    ``name`` is of the folder in ``work_dir`` that gets the weights and the loop's state.
    """
    pictures = training_pictures(work_dir / "data", num_pictures)
    vae.encoder.requires_grad_(False)
    vae.quant_conv.requires_grad_(False)
    result = fit(vae, _loss_on(pictures, config, device, decoder_loss), config, work_dir / name)
    return vae.requires_grad_(True), result


def _loss_on(
    pictures: np.ndarray, config: PretrainingConfig, device: torch.device, loss: PixelLoss
) -> Callable[[nn.Module, torch.Generator], Tensor]:
    images = torch.from_numpy(np.array(pictures)).to(device)

    def step_loss(model: nn.Module, generator: torch.Generator) -> Tensor:
        chosen = torch.randint(len(images), (config.batch_size,), generator=generator).sort().values
        pixels = as_pixels(images[chosen.to(device)]).contiguous(memory_format=torch.channels_last)
        return loss(model, pixels, generator)

    return step_loss


@torch.no_grad()
def take_over(vae: Any, old: Any, pictures: np.ndarray) -> None:
    """Give ``vae`` what a shipped autoencoder knows, whose channels become its first ones.

    New channels begin as random features. All are brought to unit variance on ``(N, 64, 64, 3)`` uint8 ``pictures``,
    so that a denoiser will take new ones as seriously as old ones.
    """
    num_old, num_new, weights = old.config.latent_channels, vae.config.latent_channels, vae.state_dict()
    for name in ("quant_conv.weight", "post_quant_conv.weight"):
        weights[name] = torch.eye(len(weights[name]))[:, :, None, None]
    weights["quant_conv.bias"][num_new:] = NEW_LOG_VARIANCE
    weights["post_quant_conv.bias"].zero_()
    weights["decoder.conv_in.weight"] *= NEW_CHANNEL_SCALE
    # An encoder's channels are first the means, then the log-variances.
    places = {2 * num_old: [*range(num_old), *range(num_new, num_new + num_old)], num_old: [*range(num_old)]}
    for name, value in old.state_dict().items():
        rows, *columns = (
            torch.tensor(places[size] if size != new else [*range(size)])
            for size, new in zip(value.shape[:2], weights[name].shape[:2], strict=True)
        )
        weights[name][(rows[:, None], columns[0]) if columns else rows] = value
    vae.load_state_dict(weights)
    if num_new == num_old:
        return
    std = vae.encode(to_pixels(pictures[:TAKE_OVER_PICTURES])).latent_dist.mean.std(dim=(0, 2, 3))
    vae.quant_conv.weight[:num_new] /= std[:, None, None, None]
    vae.quant_conv.bias[:num_new] /= std
    vae.quant_conv.bias[num_new:] -= 2 * std.log()
    vae.post_quant_conv.weight[:, :num_old] *= std[:num_old][None, :, None, None]


def training_pictures(folder: Path, count: int) -> np.ndarray:
    """Return ``(count, 64, 64, 3)`` uint8 pictures, scenes first, then outcomes of tasks; cached in ``folder``."""
    num_of_tasks = int(TASK_SHARE * count)
    scenes = scene_pictures(folder, "train", count - num_of_tasks)
    return np.concatenate([scenes, task_pictures(folder, "train", num_of_tasks)])


def task_pictures(folder: Path, split: Split, count: int) -> np.ndarray:
    """Return ``(count, 64, 64, 3)`` uint8 true outcomes of Emu Edit's tasks in turns, cached in ``folder``."""
    path = folder / f"task-pictures-{split}-{count}.npy"
    shape, draw = (count, IMAGE_SIZE, IMAGE_SIZE, 3), partial(task_picture, split)
    return cached_array(path, shape, "uint8", lambda: drawn(draw, range(count)))


def task_picture(split: Split, number: int) -> np.ndarray:
    """Draw one of `task_pictures`, ``(64, 64, 3)`` uint8."""
    task = MADE_TASKS[number % len(MADE_TASKS)]
    return sample_task_edit(random_stream("task pictures", split, number), split, task).output_image


def scene_pictures(folder: Path, split: Split, count: int) -> np.ndarray:
    """Return ``(count, 64, 64, 3)`` uint8 pictures of seeded scenes, cached in ``folder``."""
    scenes = [sample_scene(random_stream("pictures", split, i), split) for i in range(count)]
    return rendered(folder / f"pictures-{split}-{count}.npy", scenes)


def vae_loss(vae: Any, pixels: Tensor, generator: torch.Generator) -> Tensor:
    """PSNR's own loss, see `decoder_loss`, plus the KL term; ``pixels`` is ``(B, 3, H, W)`` float in [-1, 1]."""
    posterior = vae.encode(pixels).latent_dist
    latents = posterior.mean + posterior.std * normal_noise(posterior.mean, generator)
    kl = 0.5 * (posterior.mean.square() + posterior.var - 1 - posterior.logvar).mean()
    return _log_error(vae.decode(latents).sample, pixels) + KL_WEIGHT * kl


def decoder_loss(vae: Any, pixels: Tensor, _: torch.Generator) -> Tensor:
    """Mean over pictures of the log of the squared error, which is PSNR but for a factor; no noise on the latents."""
    with torch.no_grad():
        latents = vae.encode(pixels).latent_dist.mode()
    return _log_error(vae.decode(latents).sample, pixels)


def _log_error(decoded: Tensor, pixels: Tensor) -> Tensor:
    return (decoded.float() - pixels).square().mean(dim=(1, 2, 3)).log().mean()


def change_once(model: nn.Module, change: Callable[[], None], folder: Path, name: str) -> None:
    """Let ``change`` change a model's weights, and keep what they come to, which later calls give the model.

    What follows from arithmetic differs in the last bits from run to run; a training that is resumed begins where the
    interrupted one did.
    """
    path = folder / f"{name}.safetensors"
    if not path.is_file():
        change()
        partial = path.with_suffix(".partial")
        save_file({key: value.contiguous().cpu() for key, value in model.state_dict().items()}, partial)
        partial.replace(path)
    model.load_state_dict(load_file(path))


@torch.no_grad()
def centre(vae: Any, pictures: np.ndarray, device: torch.device) -> None:
    """Give latents mean zero in each channel; pictures stay what they are."""
    means = vae.encode(to_pixels(pictures[:512]).to(device)).latent_dist.mean.mean(dim=(0, 2, 3))
    vae.quant_conv.bias[: len(means)] -= means
    vae.post_quant_conv.bias += vae.post_quant_conv.weight[:, :, 0, 0] @ means


@torch.no_grad()
def set_scaling_factor(vae: AutoencoderKL, pictures: np.ndarray, device: torch.device) -> None:
    """Set the factor that gives latents unit variance, as latent diffusion prescribes."""
    latents = vae.encode(to_pixels(pictures[:512]).to(device)).latent_dist.mean
    vae.register_to_config(scaling_factor=round(1 / float(latents.std()), 4))


@torch.no_grad()
def reconstruction_psnr(vae: AutoencoderKL, pictures: np.ndarray, device: torch.device) -> float:
    """Mean PSNR in dB of ``pictures``, ``(N, H, W, 3)`` uint8, against their reconstructions."""
    scores = []
    for start in range(0, len(pictures), 64):
        pixels = to_pixels(pictures[start : start + 64]).to(device)
        decoded = vae.decode(vae.encode(pixels).latent_dist.mode()).sample.clamp(-1, 1)
        mse = ((decoded - pixels) / 2).square().mean(dim=(1, 2, 3))
        scores.append(-10 * torch.log10(mse))
    return float(torch.cat(scores).mean())
