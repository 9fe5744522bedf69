from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from linear_family import LinearTrainee, LinearTraining

from editfoundry.errors import BadInputError
from editfoundry.pretrained.runtime import allow_tf32, choose_runtime
from editfoundry.training.fingerprint import is_trained, read_summary, run_hash
from editfoundry.training.loop import train
from editfoundry.training.precision import Precision

CONFIG = LinearTraining(output=Path("out"), num_steps=1, batch_size=2)


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    before = torch.backends.cuda.matmul.allow_tf32
    yield
    allow_tf32(before)


@pytest.mark.parametrize(
    ("told_by_the_file", "told_by_the_launcher", "in_force"),
    [(None, None, "no"), (None, "bf16", "bf16"), ("no", "bf16", "no"), ("bf16", "no", "bf16"), ("bf16", None, "bf16")],
)
def test_the_launchers_precision_counts_unless_the_file_names_one(
    told_by_the_file: str | None, told_by_the_launcher: str | None, in_force: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ACCELERATE_MIXED_PRECISION", raising=False)
    if told_by_the_launcher is not None:
        monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", told_by_the_launcher)
    assert Precision.of(replace(CONFIG, mixed_precision=told_by_the_file)).mixed == in_force


@pytest.mark.parametrize("launched_with", ["fp16", "fp8"])
def test_a_precision_of_the_launcher_that_cannot_be_had_is_one_line(
    launched_with: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", launched_with)
    with pytest.raises(BadInputError, match=f"mixed_precision is '{launched_with}', "):
        Precision.of(CONFIG)


@pytest.mark.parametrize(
    ("settings", "is_on"),
    [
        ({}, False),
        ({"allow_tf32": True}, True),
        ({"mixed_precision": "bf16"}, True),
        ({"mixed_precision": "fp16"}, True),
    ],
)
def test_a_gpu_rounds_to_tf32_beside_half_precision_or_where_a_setting_says_so(
    settings: dict[str, object], is_on: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    allow_tf32(not is_on)
    Precision.of(replace(CONFIG, **settings)).switch_on()
    assert torch.backends.cuda.matmul.allow_tf32 is is_on


@pytest.mark.parametrize(
    ("dtype", "is_on"), [("bfloat16", True), ("float16", True), ("auto", True), ("float32", False)]
)
def test_models_that_are_loaded_in_half_precision_round_the_rest_to_tf32(
    dtype: str, is_on: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    allow_tf32(not is_on)
    choose_runtime("cuda", dtype)
    assert torch.backends.cuda.matmul.allow_tf32 is is_on


def test_a_file_that_names_no_precision_is_trained_whatever_the_launcher_chose(tmp_path: Path) -> None:
    config = replace(CONFIG, output=tmp_path / "out")
    train(config, LinearTrainee.load, lambda: False)
    assert (read_summary(config)["precision"], read_summary(config)["tf32"]) == ("no", False)
    assert run_hash(config) == run_hash(replace(config, mixed_precision="no"))
    assert is_trained(config) and is_trained(replace(config, mixed_precision="no"))
    assert not is_trained(replace(config, mixed_precision="bf16"))
    written = config.output / "training.json"
    written.write_text(written.read_text().replace('"precision": "no"', '"precision": "bf16"'))
    assert is_trained(config) and not is_trained(replace(config, mixed_precision="no"))
