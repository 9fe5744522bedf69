import numpy as np
import torch
from tiny_models import psnr
from tiny_sdxl import tiny_sdxl

from editfoundry.diffusion import decoding
from editfoundry.diffusion.decoding import decode


def latents(count=3):
    return torch.randn(count, 4, 16, 16, generator=torch.Generator().manual_seed(0)) * 0.13


def test_an_sdxl_vae_in_float16_decodes_in_float32_and_stays_in_float16_after():
    painter = tiny_sdxl()
    expected = decode(painter, latents())
    seen = []
    painter.vae.decoder.register_forward_pre_hook(lambda _, args: seen.append(args[0].dtype))
    painter.vae.half()
    actual = decode(painter, latents().half())
    assert seen == [torch.float32] and painter.vae.dtype == torch.float16
    assert min(psnr(a, b) for a, b in zip(actual, expected, strict=True)) > 35


def test_latents_are_brought_back_by_the_vaes_own_mean_and_deviation():
    painter = tiny_sdxl()
    plain = decode(painter, latents())
    painter.vae.register_to_config(latents_mean=[1.0, 0.0, 0.0, -1.0], latents_std=[2.0, 1.0, 1.0, 3.0])
    mean, std = (torch.tensor(v).view(1, 4, 1, 1) for v in ([1.0, 0, 0, -1.0], [2.0, 1, 1, 3]))
    factor = painter.vae.config.scaling_factor
    shifted = decode(painter, (latents() / factor - mean) * factor / std)
    assert min(psnr(a, b) for a, b in zip(shifted, plain, strict=True)) > 50


def test_large_batches_are_decoded_in_parts(monkeypatch):
    painter = tiny_sdxl()
    whole, seen = decode(painter, latents(5)), []
    painter.vae.decoder.register_forward_pre_hook(lambda _, args: seen.append(len(args[0])))
    monkeypatch.setattr(decoding, "VAE_PIXELS_AT_ONCE", 2 * 32 * 32)
    parts = decode(painter, latents(5))
    assert seen == [2, 2, 1]
    assert all(np.allclose(np.asarray(a, int), np.asarray(b, int), atol=1) for a, b in zip(parts, whole, strict=True))
