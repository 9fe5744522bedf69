import torch
from tiny_models import psnr, tiny_image
from tiny_painter import tiny_painter

from editfoundry.diffusion.decoding import decode
from editfoundry.diffusion.encoding import _scaled, encode


def test_latents_are_the_scaled_modes_that_decode_takes() -> None:
    painter, images = tiny_painter(), [tiny_image(0), tiny_image(1)]
    latents = encode(painter, images)
    with torch.no_grad():
        pixels = painter.image_processor.preprocess(images)
        modes = painter.vae.encode(pixels).latent_dist.mode()
        expected = painter.image_processor.postprocess(painter.vae.decode(modes).sample)
    torch.testing.assert_close(latents, modes * painter.vae.config.scaling_factor)
    assert all(psnr(a, b) > 60 for a, b in zip(decode(painter, latents), expected, strict=True))


def test_a_vae_with_statistics_of_its_own_is_normalised_by_them() -> None:
    config = type("Config", (), {"latents_mean": [1.0, 2.0], "latents_std": [2.0, 4.0], "scaling_factor": 0.5})
    latents = torch.tensor([[[[3.0]], [[4.0]]]])
    assert _scaled(config, latents).flatten().tolist() == [0.5, 0.25]


def test_a_vae_with_a_shift_is_shifted_before_it_is_scaled() -> None:
    config = type("Config", (), {"shift_factor": 0.5, "scaling_factor": 2.0})
    assert _scaled(config, torch.tensor([[[[1.0]], [[0.5]]]])).flatten().tolist() == [1.0, 0.0]


def test_pictures_of_any_mode_are_encoded_as_their_colours() -> None:
    painter, image = tiny_painter(), tiny_image(0)
    clear = image.copy()
    clear.putalpha(255)
    assert torch.equal(encode(painter, [clear]), encode(painter, [image]))
