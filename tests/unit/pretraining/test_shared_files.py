"""Equal files lie on disk once."""

import json
import shutil
from pathlib import Path

import torch
from diffusers import DiffusionPipeline, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from tiny_models import tiny_pipeline

from editfoundry.pretraining.shared_files import (
    MIN_SHARED,
    share_equal_files,
    split_weights,
    stored_size,
    unshare_files,
)
from editfoundry.profiles import EMBEDDED_FOLDER


def write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_a_large_file_that_is_there_already_becomes_a_relative_link(tmp_path: Path) -> None:
    first = write(tmp_path / "a" / "vae" / "weights", b"x" * MIN_SHARED)
    second = write(tmp_path / "b" / "vae" / "weights", b"x" * MIN_SHARED)
    other = write(tmp_path / "c" / "weights", b"y" * MIN_SHARED)
    small = [write(tmp_path / name / "config.json", b"{}") for name in "ab"]
    share_equal_files(tmp_path)
    assert second.is_symlink() and second.readlink() == Path("../../a/vae/weights")
    assert not any(path.is_symlink() for path in (first, other, *small))
    assert stored_size(tmp_path) == 2 * MIN_SHARED + 4
    assert shutil.move(tmp_path, tmp_path.with_name("elsewhere"))
    assert (tmp_path.with_name("elsewhere") / "b" / "vae" / "weights").read_bytes() == b"x" * MIN_SHARED


def test_files_that_are_unshared_outlive_those_they_were_links_to(tmp_path: Path) -> None:
    first, second = (write(tmp_path / name, b"x" * MIN_SHARED) for name in "ab")
    share_equal_files(tmp_path)
    unshare_files(tmp_path)
    first.unlink()
    assert not second.is_symlink() and second.read_bytes() == b"x" * MIN_SHARED


def test_unets_that_differ_in_one_layer_share_all_others_and_open_in_plain_diffusers(tmp_path: Path) -> None:
    unets = {channels: tiny_pipeline(in_channels=channels).unet for channels in (4, 8)}
    same = {name: value for name, value in unets[8].state_dict().items() if name != "conv_in.weight"}
    unets[4].load_state_dict({**unets[4].state_dict(), **same})
    for channels, unet in unets.items():
        unet.save_pretrained(tmp_path / str(channels))
        split_weights(tmp_path / str(channels) / "diffusion_pytorch_model.safetensors", "conv_in.weight".__eq__)
    whole = stored_size(tmp_path)
    share_equal_files(tmp_path)
    assert stored_size(tmp_path) < 0.6 * whole
    for channels, unet in unets.items():
        opened = UNet2DConditionModel.from_pretrained(tmp_path / str(channels)).state_dict()
        assert all(torch.equal(opened[name], value) for name, value in unet.state_dict().items())


def test_each_group_has_a_shard_of_its_own_and_a_group_without_tensors_has_none(tmp_path: Path) -> None:
    weights = {name: torch.full((2,), float(place)) for place, name in enumerate(("in.a", "out.a", "out.b", "mid.c"))}
    save_file(weights, tmp_path / "model.safetensors")
    groups = [lambda name, part=part: name.startswith(part) for part in ("in.", "none.", "out.")]
    split_weights(tmp_path / "model.safetensors", *groups)
    files = sorted(tmp_path.glob("*.safetensors"))
    assert [file.name for file in files] == [f"model-0000{n}-of-00003.safetensors" for n in (1, 2, 3)]
    assert [sorted(load_file(file)) for file in files] == [["in.a"], ["out.a", "out.b"], ["mid.c"]]
    index = json.loads((tmp_path / "model.safetensors.index.json").read_text())
    assert index["weight_map"]["mid.c"] == files[2].name and index["metadata"]["total_size"] == 4 * 2 * 4


def test_the_shipped_models_stay_within_their_share_of_the_repository() -> None:
    assert stored_size(EMBEDDED_FOLDER) < 48 * 2**20


def test_pipelines_with_shared_parts_open_in_plain_diffusers(tmp_path: Path) -> None:
    for name in ("painter", "editor"):
        tiny_pipeline().save_pretrained(tmp_path / name)
    share_equal_files(tmp_path)
    assert any(path.is_symlink() for path in (tmp_path / "painter").rglob("*"))
    opened = DiffusionPipeline.from_pretrained(tmp_path / "painter")
    assert opened.unet.config.sample_size == tiny_pipeline().unet.config.sample_size
