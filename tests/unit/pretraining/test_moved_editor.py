"""An editor on another autoencoder's latents keeps what it knows."""

from pathlib import Path

import torch
from diffusers import AutoencoderKL, StableDiffusionInstructPix2PixPipeline

from editfoundry.pretraining.moved_editor import moved_editor
from editfoundry.pretraining.recipes.vae import build_vae
from editfoundry.profiles import EMBEDDED_FOLDER

EDITOR = EMBEDDED_FOLDER / "emu_edit"


def test_an_editor_moves_with_all_that_its_family_keeps_and_only_the_layers_at_the_latents_begin_anew(
    tmp_path: Path,
) -> None:
    torch.manual_seed(0)
    channels = 1 + AutoencoderKL.load_config(EDITOR / "vae")["latent_channels"]
    vae = build_vae(channels)
    moved = moved_editor(EDITOR, vae, tmp_path)
    assert {path.name for path in moved.iterdir()} >= {"task_embeddings", "editing.json", "unet"}
    pipeline = StableDiffusionInstructPix2PixPipeline.from_pretrained(moved)
    assert (pipeline.unet.config.in_channels, pipeline.unet.config.out_channels) == (2 * channels, channels)
    old = StableDiffusionInstructPix2PixPipeline.from_pretrained(EDITOR).unet.state_dict()
    new = pipeline.unet.state_dict()
    others = {
        name for name, value in old.items() if new[name].shape != value.shape or not torch.equal(new[name], value)
    }
    assert others == {"conv_in.weight", "conv_out.weight", "conv_out.bias"}
    assert moved_editor(EDITOR, vae, tmp_path) == moved


def test_an_editor_stays_where_its_autoencoder_is_the_one_that_is_asked_for(tmp_path: Path) -> None:
    own = AutoencoderKL.from_pretrained(EDITOR / "vae", torch_dtype=torch.float32)
    assert moved_editor(EDITOR, own, tmp_path) == EDITOR
    assert not list(tmp_path.iterdir())
