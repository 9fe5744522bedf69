"""The embedded autoencoder's size and loss."""

from pathlib import Path

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio

from editfoundry.pretraining.drawn_pictures import to_images, to_pixels
from editfoundry.pretraining.recipes.vae import (
    LATENT_CHANNELS,
    build_vae,
    centre,
    change_once,
    decoder_loss,
    reconstruction_psnr,
    scene_pictures,
    set_scaling_factor,
    take_over,
    task_picture,
    training_pictures,
    vae_loss,
)


def test_64_pixels_become_a_latent_of_16_by_16() -> None:
    latents = build_vae().encode(torch.zeros(2, 3, 64, 64)).latent_dist.mean
    assert latents.shape == (2, LATENT_CHANNELS, 16, 16)


def test_the_loss_is_finite_and_reaches_every_weight() -> None:
    vae = build_vae()
    loss = vae_loss(vae, torch.rand(2, 3, 64, 64) * 2 - 1, torch.Generator().manual_seed(0))
    loss.backward()
    assert torch.isfinite(loss) and loss.ndim == 0
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in vae.parameters())


def test_the_loss_draws_its_noise_from_the_generator_alone() -> None:
    vae, pixels = build_vae(), torch.zeros(2, 3, 64, 64)
    first, second = (vae_loss(vae, pixels, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first, second)


def test_pictures_are_rendered_once_and_read_back(tmp_path: Path) -> None:
    first = scene_pictures(tmp_path, "train", 3)
    written = (tmp_path / "pictures-train-3.npy").stat().st_mtime_ns
    second = scene_pictures(tmp_path, "train", 3)
    assert first.shape == (3, 64, 64, 3)
    assert np.array_equal(first, second)
    assert (tmp_path / "pictures-train-3.npy").stat().st_mtime_ns == written


def test_a_third_of_the_training_pictures_are_outcomes_of_tasks(tmp_path: Path) -> None:
    pictures = training_pictures(tmp_path, 6)
    assert pictures.shape == (6, 64, 64, 3) and pictures.dtype == np.uint8
    assert np.array_equal(pictures[:4], scene_pictures(tmp_path, "train", 4))
    assert np.array_equal(pictures[4:], [task_picture("train", number) for number in (0, 1)])
    assert not np.array_equal(task_picture("train", 0), task_picture("test", 0))


def test_pixels_and_images_convert_without_loss() -> None:
    images = np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 16, 16, 3)
    pixels = to_pixels(images)
    assert pixels.shape == (1, 3, 16, 16)
    assert (pixels.min(), pixels.max()) == (-1, 1)
    assert np.array_equal(to_images(pixels), images)


def test_centred_and_scaled_latents_have_mean_zero_and_unit_variance_and_decode_to_the_same_pictures() -> None:
    torch.manual_seed(0)
    vae, cpu = build_vae(), torch.device("cpu")
    pictures = np.random.default_rng(0).integers(0, 256, (4, 64, 64, 3), dtype=np.uint8)
    before = reconstruction_psnr(vae, pictures, cpu)
    centre(vae, pictures, cpu)
    set_scaling_factor(vae, pictures, cpu)
    with torch.no_grad():
        latents = vae.encode(to_pixels(pictures)).latent_dist.mean * vae.config.scaling_factor
    assert torch.allclose(latents.mean((0, 2, 3)), torch.zeros(LATENT_CHANNELS), atol=1e-4)
    assert abs(float(latents.std()) - 1) < 0.01
    assert abs(reconstruction_psnr(vae, pictures, cpu) - before) < 1e-3


def test_the_decoders_loss_is_psnr_but_for_a_factor() -> None:
    torch.manual_seed(0)
    vae, pixels = build_vae(), torch.rand(2, 3, 64, 64) * 2 - 1
    with torch.no_grad():
        decoded = vae.decode(vae.encode(pixels).latent_dist.mode()).sample
        loss = float(decoder_loss(vae, pixels, torch.Generator()))
    psnr = [peak_signal_noise_ratio(d.numpy(), p.numpy(), data_range=2) for d, p in zip(decoded, pixels, strict=True)]
    assert abs(10 * np.log10(4) - 10 / np.log(10) * loss - np.mean(psnr)) < 1e-3


def test_the_decoders_loss_leaves_the_encoder_alone() -> None:
    vae = build_vae()
    decoder_loss(vae, torch.rand(2, 3, 64, 64) * 2 - 1, torch.Generator()).backward()
    assert all(p.grad is None for p in vae.encoder.parameters())
    assert all(p.grad is not None for p in vae.decoder.parameters())


def test_an_autoencoder_with_more_channels_begins_with_what_the_old_one_knows() -> None:
    torch.manual_seed(0)
    old, new = build_vae(4), build_vae(8)
    pictures = np.random.default_rng(0).integers(0, 256, (8, 64, 64, 3), dtype=np.uint8)
    take_over(new, old, pictures)
    with torch.no_grad():
        first, second = (vae.encode(to_pixels(pictures)).latent_dist for vae in (old, new))
        ratio = first.mean / second.mean[:, :4]
        silent = second.mean.clone()
        silent[:, 4:] = 0
        decoded = new.decode(silent).sample
    assert torch.allclose(ratio, ratio.mean((0, 2, 3), keepdim=True).expand_as(ratio), rtol=1e-2)
    assert torch.allclose(second.mean.std((0, 2, 3)), torch.ones(8), atol=1e-3)
    assert torch.allclose(
        first.logvar + 2 * (second.mean[:, :4] / first.mean).abs().log(), second.logvar[:, :4], atol=0.1
    )
    assert torch.allclose(decoded, old.decode(first.mean).sample, atol=1e-3)


def test_an_autoencoder_of_as_many_channels_is_taken_over_as_it_is() -> None:
    old, new = build_vae(8), build_vae(8)
    take_over(new, old, np.zeros((1, 64, 64, 3), dtype=np.uint8))
    assert all(torch.equal(a, b) for a, b in zip(old.parameters(), new.parameters(), strict=True))


def test_a_change_is_made_once_and_what_it_came_to_is_kept(tmp_path: Path) -> None:
    first, second = torch.nn.Linear(2, 1), torch.nn.Linear(2, 1)

    def zero() -> None:
        first.load_state_dict({name: torch.zeros_like(value) for name, value in first.state_dict().items()})

    change_once(first, zero, tmp_path, "zero")
    change_once(second, lambda: pytest.fail("it was made"), tmp_path, "zero")
    assert not any(value.any() for value in second.state_dict().values())
    assert [path.name for path in tmp_path.iterdir()] == ["zero.safetensors"]
