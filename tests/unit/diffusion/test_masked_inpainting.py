"""Inpainting with a UNet that sees the mask, on latents of more than four channels."""

import numpy as np
import torch
from PIL import Image

from editfoundry.diffusion.masked_inpainting import inpaint_seeing_mask
from editfoundry.editors.families.inpainting.trainee import load_inpainter_to_train
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.profiles import EMBEDDED_FOLDER


def test_a_picture_is_painted_the_same_alone_and_in_a_batch_and_by_its_mask() -> None:
    pipeline = load_inpainter_to_train(str(EMBEDDED_FOLDER / "text_to_image"), "main", choose_runtime("cpu", "float32"))
    channels = pipeline.vae.config.latent_channels
    assert pipeline.unet.config.in_channels == 2 * channels + 1 != 9
    # Untrained, it sees nothing of mask and picture.
    torch.nn.init.normal_(pipeline.unet.conv_in.weight[:, channels:], std=0.05)
    pictures = [Image.new("RGB", (64, 64), colour) for colour in ("red", "blue")]
    masks = [
        Image.fromarray(np.pad(np.full((20, 20), 255, np.uint8), ((4, 40), (left, 44 - left)))) for left in (4, 30)
    ]

    def painted(*numbers: int, mask: int | None = None) -> list[np.ndarray]:
        chosen = [masks[number if mask is None else mask] for number in numbers]
        texts, images = ["a red apple"] * len(numbers), [pictures[number] for number in numbers]
        return [np.asarray(p) for p in inpaint_seeing_mask(pipeline, texts, images, chosen, numbers, 2, 3.0)]

    both, alone = painted(0, 1), painted(1)
    assert np.abs(both[1].astype(int) - alone[0]).max() <= 1
    assert np.abs(painted(1, mask=0)[0].astype(int) - alone[0]).max() > 1
