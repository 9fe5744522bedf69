import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tiny_models import tiny_pipeline, write_dataset

from editfoundry.editors.families.instruct_pix2pix.training_config import InstructPix2PixTraining
from editfoundry.editors.train import train_editor
from editfoundry.errors import BadInputError
from editfoundry.tracking import s3
from editfoundry.training.failures import TrainingError, TrainingInterrupted
from editfoundry.training.remote_checkpoints import RemoteCheckpoints, _inside

URI = f"s3://{s3.BUCKET}/runs/one"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, s3.S3Server]]:
    root = tmp_path_factory.mktemp("foundry")
    yield root, s3.start(root)
    s3.stop(root)


@pytest.fixture
def bucket(server: tuple[Path, s3.S3Server], monkeypatch: pytest.MonkeyPatch) -> Any:
    root, running = server
    access_key, secret_key = s3.credentials(root)
    monkeypatch.setenv("AWS_ENDPOINT_URL", running.endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret_key)
    return s3.client(root, running.endpoint)


def stop_after(num_steps: int) -> Callable[[], bool]:
    calls = iter(range(1, 100))
    return lambda: next(calls) >= num_steps


def steps_in(bucket: Any) -> set[str]:
    found = bucket.list_objects_v2(Bucket=s3.BUCKET, Prefix="runs/one/").get("Contents", ())
    return {entry["Key"].split("/")[2] for entry in found}


def test_a_run_whose_disk_is_lost_goes_on_from_the_bucket(bucket: Any, tmp_path: Path) -> None:
    tiny_pipeline().save_pretrained(tmp_path / "base")
    straight = InstructPix2PixTraining(
        editor=str(tmp_path / "base"),
        dataset=write_dataset(tmp_path / "data"),
        output=tmp_path / "straight",
        num_steps=5,
        batch_size=2,
        log_every=1,
        work_dir=tmp_path / "work",
    )
    train_editor(straight)
    lost = replace(straight, output=tmp_path / "lost", checkpoint_uri=URI, checkpoint_every=1)
    with pytest.raises(TrainingInterrupted):
        train_editor(lost, should_stop=stop_after(4))
    assert steps_in(bucket) == {"step-3", "step-4"}
    shutil.rmtree(lost.output)
    # Half a checkpoint, as an upload that was cut leaves it, is passed over.
    bucket.put_object(Bucket=s3.BUCKET, Key="runs/one/step-9/model.safetensors", Body=b"")
    train_editor(lost)
    curves = [json.loads((c.output / "training.json").read_text())["loss_curve"] for c in (lost, straight)]
    assert [loss for _, loss in curves[0]] == pytest.approx([loss for _, loss in curves[1]], abs=1e-6)
    assert steps_in(bucket) == {"step-9"}


@pytest.mark.parametrize("name", ["../../evil", "/etc/evil", "a/../../evil", ""])
def test_a_checkpoint_cannot_write_outside_its_folder(name: str) -> None:
    with pytest.raises(TrainingError, match="would leave its folder"):
        _inside(name)


def test_a_bucket_that_refuses_is_named_and_the_local_state_said_to_be_good(
    bucket: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    (tmp_path / "step-1").mkdir()
    (tmp_path / "step-1" / "history.json").write_text("{}")
    with pytest.raises(
        TrainingError, match="s3://editfoundry/runs/one: step-1 is saved on the disk, but cannot be copied"
    ):
        RemoteCheckpoints.at(URI).push(tmp_path / "step-1", 2)
    with pytest.raises(BadInputError, match="s3://BUCKET/PREFIX"):
        RemoteCheckpoints.at("s3://")
