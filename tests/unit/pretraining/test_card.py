"""Model cards."""

import json
from pathlib import Path

import pytest
import torch

from editfoundry.pretraining.card import DESCRIPTIONS, read_card, training_facts, training_parts, update_card
from editfoundry.pretraining.model_trainee import PretrainingConfig, PretrainingResult
from editfoundry.pretraining.shared_files import stored_size
from editfoundry.profiles import EMBEDDED_FOLDER


def test_sections_are_merged_and_shown(tmp_path: Path) -> None:
    facts = training_facts(
        PretrainingConfig(num_steps=5, batch_size=2),
        PretrainingResult(num_steps=5, seconds=90, final_loss=0.25),
        torch.device("cpu"),
    )
    update_card(tmp_path, "clip", parameters={"model": 1_234_567}, training=facts)
    update_card(tmp_path, "clip", measured={"retrieval_among_64": 0.98765})

    text = (tmp_path / "README.md").read_text()
    assert "1,234,567" in text
    assert "minutes: 1.5" in text
    assert "retrieval among 64: 0.9877" in text
    assert set(read_card(tmp_path)) == {"parameters", "training", "measured"}


def test_the_parts_of_a_training_are_named_the_latest_first() -> None:
    training = {"steps": 3, "continued_from": {"steps": 2, "continued_from": {"steps": 1}}}
    assert [part["steps"] for part in training_parts(training)] == [3, 2, 1]
    assert training_parts({}) == []


@pytest.mark.parametrize("role", sorted(role for role in DESCRIPTIONS if (EMBEDDED_FOLDER / role).is_dir()))
def test_every_shipped_model_has_a_card_that_says_how_it_was_trained_and_measured(role: str) -> None:
    facts = json.loads((EMBEDDED_FOLDER / role / "card.json").read_text())
    assert set(facts) == {"parameters", "training", "measured"}
    assert {"steps", "minutes", "machine", "seed"} <= set(facts["training"])
    assert all(isinstance(value, float) for value in facts["measured"].values())


def test_the_shipped_models_are_fp16_safetensors_of_at_most_48_mib() -> None:
    files = [path for path in EMBEDDED_FOLDER.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} <= {".safetensors", ".json", ".md", ".txt", ".jinja"}
    assert stored_size(EMBEDDED_FOLDER) <= 48 * 2**20


def test_no_shipped_file_names_a_path_of_the_machine_that_trained_it() -> None:
    configs = [*EMBEDDED_FOLDER.rglob("*config.json"), *EMBEDDED_FOLDER.rglob("model_index.json")]
    paths = {path: json.loads(path.read_text()).get("_name_or_path", "") for path in configs}
    assert configs and {path: name for path, name in paths.items() if name.startswith("/")} == {}
