"""The recipe of the embedded MGIE editor and of what it is compared with: one data set, and the project's trainer."""

import json
from pathlib import Path

import pytest
import torch
from diffusers import StableDiffusionInstructPix2PixPipeline
from tiny_mgie import tiny_mgie_training

from editfoundry.data.record import PLAIN_CATEGORIES
from editfoundry.data.shards import read_triplets
from editfoundry.editors.families.mgie.model import MgieModel, load_mgie
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.pretraining.measure import EDITING
from editfoundry.pretraining.model_trainee import PretrainingConfig
from editfoundry.pretraining.recipes import mgie
from editfoundry.training.fingerprint import TRAINING_SUMMARY

CONFIG = PretrainingConfig(num_steps=2, batch_size=2, num_warmup_steps=0)


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    config = tiny_mgie_training(tmp_path_factory.mktemp("parts"))
    return config.editor, config.mllm


def test_all_three_learn_from_the_same_triplets_in_the_same_order(parts: tuple[str, str], tmp_path: Path) -> None:
    start, mllm = parts
    model, result = mgie.train_mgie(tmp_path, start, mllm, CONFIG, num_triplets=8)
    twin, _ = mgie.train_mgie(tmp_path, start, mllm, CONFIG, "mgie_lgie", num_triplets=8)
    baseline, _ = mgie.train_baseline(tmp_path, start, CONFIG, num_triplets=8)
    assert result.num_steps == 2 and result.final_loss > 0
    assert model.sees_picture and not twin.sees_picture
    assert isinstance(baseline, StableDiffusionInstructPix2PixPipeline)
    folders = {"mgie": ("data/mgie/told", "mgie"), "lgie": ("data/mgie_lgie/told", "mgie_lgie"), "": ("mgie_baseline",)}
    told = {
        name: [json.loads((tmp_path / one / TRAINING_SUMMARY).read_text()) for one in parts]
        for name, parts in folders.items()
    }
    # The second part of a training sees by what the first one made.
    assert len(list((tmp_path / "data" / "mgie").glob("features-*"))) == 1
    assert len({one["dataset_hash"] for parts in told.values() for one in parts}) == 1
    assert {one["num_triplets"] for parts in told.values() for one in parts} == {8}
    assert {sum(one["num_steps"] for one in parts) for parts in told.values()} == {2}
    # Nothing of the UNet that it starts from is changed, so that it is shipped once.
    before = StableDiffusionInstructPix2PixPipeline.from_pretrained(start).unet.state_dict()
    assert all(torch.equal(value, before[name]) for name, value in model.pipeline.unet.state_dict().items())
    categories = [triplet.category for triplet in read_triplets(tmp_path / "data" / "ambiguous-8-0")]
    assert 0 < sum(category in PLAIN_CATEGORIES for category in categories) < 8


def test_what_is_shipped_is_in_half_precision_and_opens_as_an_editor(parts: tuple[str, str], tmp_path: Path) -> None:
    model, _ = mgie.train_mgie(tmp_path, *parts, CONFIG, num_triplets=4)
    counts = mgie.save_in_half(model, tmp_path / "shipped", EDITING)
    assert set(counts) == {"vae", "unet", "edit_head", "mllm"}
    opened = load_mgie(tmp_path / "shipped", choose_runtime("cpu"))
    head, shipped = (one.edit_head.state_dict()["queries"] for one in (model, opened))
    assert torch.equal(head.float(), shipped.float())
    configs = [path.read_text() for path in (tmp_path / "shipped").rglob("*.json")]
    assert not any(str(path) in text for path in (tmp_path, Path(parts[0]).parent) for text in configs)


def test_an_editor_that_is_shipped_is_trained_on_with_other_triplets(parts: tuple[str, str], tmp_path: Path) -> None:
    start, mllm = parts
    first, _ = mgie.train_mgie(tmp_path / "first", start, mllm, CONFIG, num_triplets=4)
    mgie.save_in_half(first, tmp_path / "shipped", EDITING)
    further, _ = mgie.train_mgie(
        tmp_path / "more", start, mllm, CONFIG, num_triplets=4, shipped=tmp_path / "shipped", data_seed=2
    )
    before, after = (
        model.mllm.model.model.vision_tower.state_dict() for model in (load_of(tmp_path / "shipped"), further)
    )
    assert all(torch.equal(value.float(), after[name].float()) for name, value in before.items())
    drawn = [
        {triplet.id for triplet in read_triplets(tmp_path / place / "data" / f"ambiguous-4-{seed}")}
        for place, seed in (("first", 0), ("more", 2))
    ]
    assert not drawn[0] & drawn[1]
    told = json.loads((tmp_path / "more" / "data" / "mgie" / "told" / TRAINING_SUMMARY).read_text())
    assert told["text_encoder_hash"] and told["config"]["text_loss_editor"] == start


def load_of(folder: Path) -> MgieModel:
    return load_mgie(folder, choose_runtime("cpu"))
