"""The embedded IP-Adapter's recipe."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from editfoundry.diffusion.prompt_embeds import encode_prompts
from editfoundry.pretrained.ip_adapter import load_image_encoder, load_ip_adapter
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.pretrained.text_to_image import load_text_to_image
from editfoundry.pretraining.recipes.ip_adapter import (
    CONFIG,
    measure_ip_adapter,
    save_ip_adapter,
    train_ip_adapter,
)
from editfoundry.profiles import load_profile

CPU = choose_runtime("cpu")
FEW = replace(CONFIG, num_steps=2, batch_size=2, num_warmup_steps=1, checkpoint_every_seconds=0.0)


@pytest.fixture(scope="module")
def work_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("work")


def train(work_dir: Path) -> tuple[dict[str, Tensor], Any]:
    profile = load_profile("embedded")
    painter: Any = load_text_to_image(profile, CPU)
    encoder = load_image_encoder(profile.model("clip"), CPU)
    tensors, _ = train_ip_adapter(work_dir, painter, *encoder, torch.device("cpu"), FEW, num_pairs=3)
    return tensors, painter


@pytest.fixture(scope="module")
def trained(work_dir: Path) -> tuple[dict[str, Tensor], Any]:
    return train(work_dir)


@pytest.fixture(scope="module")
def profile(trained: tuple[dict[str, Tensor], Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shipped")
    save_ip_adapter(trained[0], folder / "ip_adapter")
    path = folder / "mine.toml"
    path.write_text(
        '[text_to_image]\nmodel = "package:text_to_image"\n[clip]\nmodel = "package:clip"\n'
        f'[ip_adapter]\nmodel = "{folder}/ip_adapter"\nsubfolder = "models"\n'
        'weight_name = "ip-adapter_sd15.safetensors"\nimage_encoder = "package:clip"\n'
    )
    return path


def test_it_has_the_published_names_and_fits_in_its_share_of_the_package(
    trained: tuple[dict[str, Tensor], Any], profile: Path
) -> None:
    file = profile.parent / "ip_adapter" / "models" / "ip-adapter_sd15.safetensors"
    assert file.stat().st_size <= 1.2 * 2**20
    tensors = load_file(file)
    layers = sorted(int(key.split(".")[1]) for key in tensors if key.endswith("to_k_ip.weight"))
    num_layers = sum(name.endswith("attn2.processor") for name in trained[1].unet.attn_processors)
    assert layers == list(range(1, 2 * num_layers, 2))
    assert tensors["image_proj.proj.weight"].shape == (4 * 128, 128)
    assert {"image_proj.proj.bias", "image_proj.norm.weight", "image_proj.norm.bias"} <= set(tensors)
    assert all(tensor.dtype == torch.float16 for tensor in tensors.values())


def test_loaded_from_its_file_it_predicts_what_it_predicted_in_training(
    trained: tuple[dict[str, Tensor], Any], profile: Path
) -> None:
    painter: Any = load_text_to_image(load_profile("embedded"), CPU)
    adapter = load_ip_adapter(load_profile(profile), CPU, painter)
    added = {"image_embeds": [torch.randn(1, 1, 128, generator=torch.Generator().manual_seed(0))]}
    inputs = (
        torch.randn(1, painter.unet.config.in_channels, 16, 16),
        torch.tensor(500),
        encode_prompts(painter, ["an egg"]).prompt_embeds,
    )
    with torch.no_grad(), adapter.applied(1.0):
        loaded = painter.unet(*inputs, added_cond_kwargs=added)[0]
        in_training = trained[1].unet(*inputs, added_cond_kwargs=added)[0]
    # The file is float16.
    torch.testing.assert_close(loaded, in_training, atol=5e-3, rtol=5e-3)
    with torch.no_grad():
        assert (painter.unet(*inputs)[0] - loaded).abs().max() > 1e-4


def test_training_resumes_from_its_checkpoint(work_dir: Path, trained: tuple[dict[str, Tensor], Any]) -> None:
    again, _ = train(work_dir)
    assert all(torch.equal(again[key], value) for key, value in trained[0].items())


def test_it_can_be_measured(profile: Path) -> None:
    measures = measure_ip_adapter(load_profile(profile), CPU, num_pairs=2)
    assert set(measures) == {"clip_image_similarity", "clip_image_similarity_without"}
    assert all(-1 <= value <= 1 for value in measures.values())
