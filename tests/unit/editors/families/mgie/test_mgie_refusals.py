from dataclasses import replace
from pathlib import Path

import pytest
from accelerate import Accelerator
from tiny_mgie import tiny_mgie_training
from tiny_models import tiny_triplets

from editfoundry.data.shards import write_triplets
from editfoundry.editors.families.mgie.trainee import MgieTrainee
from editfoundry.editors.families.mgie.training_config import MgieTraining
from editfoundry.editors.train import read_training_config
from editfoundry.errors import BadInputError


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> MgieTraining:
    return tiny_mgie_training(tmp_path_factory.mktemp("mgie"))


def test_a_file_names_the_family_and_wrong_settings_are_refused(tmp_path: Path, config: MgieTraining) -> None:
    file = tmp_path / "mgie.yaml"
    file.write_text("family: mgie\neditor: a\nmllm: b\ndataset: c\noutput: d\nnum_steps: 1\n")
    read = read_training_config(file)
    assert isinstance(read, MgieTraining) and read.batch_size == 128
    with pytest.raises(BadInputError, match="expressive_field is 'captions'"):
        replace(config, expressive_field="captions")
    with pytest.raises(BadInputError, match="aspect_ratios is True"):
        replace(config, aspect_ratios=True)
    with pytest.raises(BadInputError, match="head_dim is 8, but must be a multiple of head_heads"):
        replace(config, head_heads=3)


def test_a_triplet_without_the_text_to_be_answered_is_named(tmp_path: Path) -> None:
    from tiny_models import write_dataset

    config = replace(tiny_mgie_training(tmp_path), dataset=write_dataset(tmp_path / "silent"))
    with pytest.raises(BadInputError, match="has no output_caption"):
        MgieTrainee.load(config, Accelerator(cpu=True))
    MgieTrainee.load(replace(config, expressive_field="instruction"), Accelerator(cpu=True))


def test_a_triplet_whose_texts_are_longer_than_the_language_model_reads_is_named(tmp_path: Path) -> None:
    config = tiny_mgie_training(tmp_path)
    told = [
        replace(one, output_caption="a thing " * count) for one, count in zip(tiny_triplets(2), (1, 400), strict=True)
    ]
    write_triplets(tmp_path / "long" / "00000.tar", told)
    with pytest.raises(
        BadInputError, match=rf"long: triplet {told[1].id} has \d+ tokens, and the language model takes"
    ):
        MgieTrainee.load(replace(config, dataset=tmp_path / "long"), Accelerator(cpu=True))


def test_a_resolution_that_the_autoencoder_cannot_halve_is_refused(config: MgieTraining) -> None:
    with pytest.raises(BadInputError, match="resolution is 17, but must be a multiple of"):
        MgieTrainee.load(replace(config, resolution=17), Accelerator(cpu=True))
