"""The embedded cascade's recipe."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from editfoundry.editors.editing_defaults import read_editing_defaults
from editfoundry.editors.open_editor import open_editor
from editfoundry.errors import BadInputError
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.pretrained.text_to_image import load_text_to_image
from editfoundry.pretraining.pretrain import pretrain
from editfoundry.pretraining.recipes.imagen_editor import (
    CONFIG,
    SAMPLING,
    _Examples,
    build_base,
    build_super_resolution,
)
from editfoundry.profiles import load_profile


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, _Examples]:
    tokenizer = load_text_to_image(load_profile("embedded"), choose_runtime("cpu")).tokenizer
    return tokenizer, _Examples(tmp_path_factory.mktemp("work"), tokenizer, torch.device("cpu"), 8)


def test_both_stages_fit_in_their_share_of_the_package() -> None:
    numbers = sum(p.numel() for stage in (build_base(), build_super_resolution()) for p in stage.parameters())
    assert 2 * numbers <= 4 * 2**20


def test_prompts_are_whole_captions_phrases_and_nothing_each_with_a_hole(examples: tuple[Any, _Examples]) -> None:
    tokenizer, drawn = examples
    batch = drawn.batch(replace(CONFIG, batch_size=200), torch.Generator().manual_seed(0))
    prompts = [tokenizer.decode(ids, skip_special_tokens=True) for ids in batch.input_ids]
    whole = [any(f" {word} a " in prompt for word in ("in", "on")) for prompt in prompts]
    assert 5 < prompts.count("") < 40
    assert 50 < sum(whole) < 150
    assert len(set(prompts)) > 30
    assert batch.holes.flatten(1).any(1).all()
    assert batch.pictures.shape == (200, 3, 64, 64) and batch.pictures.min() >= -1


def test_it_is_trained_saved_and_opened_by_its_folder(tmp_path: Path) -> None:
    facts = pretrain("imagen_editor", tmp_path / "work", 1, "cpu", out=tmp_path / "out", is_tracked=False,
                     num_examples=4, settings={"masking": "random", "batch_size": 2})  # fmt: skip
    folder = tmp_path / "out" / "imagen_editor"
    assert facts["models"] == "imagen_editor" and (tmp_path / "work" / "imagen_editor_random").is_dir()
    assert read_editing_defaults(folder) == SAMPLING
    editor = open_editor(str(folder), choose_runtime("cpu"))
    assert (editor.options.num_inference_steps, editor.model.side) == (25, 64)


def test_a_masking_that_there_is_not_and_a_setting_of_another_model_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="masking is 'box', but must be one of object, random"):
        pretrain("imagen_editor", tmp_path, 1, "cpu", settings={"masking": "box"})
    with pytest.raises(BadInputError, match="clip: has no setting 'masking'"):
        pretrain("clip", tmp_path, 1, "cpu", settings={"masking": "random"})
