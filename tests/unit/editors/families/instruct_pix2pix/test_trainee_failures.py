import resource
from dataclasses import replace
from pathlib import Path

import pytest
from instruct_pix2pix_runs import UNET_WEIGHTS, curve, stop_after
from safetensors.torch import load_file, save_file
from tiny_models import tiny_pipeline, write_dataset

from editfoundry.editors.families.instruct_pix2pix.training_config import InstructPix2PixTraining as Training
from editfoundry.editors.train import train_editor
from editfoundry.errors import BadInputError
from editfoundry.training.failures import TrainingError, TrainingInterrupted
from editfoundry.training.resume_folder import saved_steps


def test_a_gradient_that_overflows_stops_the_run_before_the_weights_do(config: Training) -> None:
    diverging = replace(
        config, learning_rate=1e30, num_warmup_steps=0, checkpoint_every=1, output=config.output.with_name("overflow")
    )
    with pytest.raises(TrainingError, match=r"(the loss|the gradient's norm) is (nan|inf) at step \d: .*step-\d"):
        train_editor(diverging)


def test_only_the_newest_checkpoints_are_kept(config: Training) -> None:
    many = replace(config, output=config.output.with_name("many"), checkpoint_every=1, num_checkpoints=3)
    with pytest.raises(TrainingInterrupted):
        train_editor(many, should_stop=stop_after(5))
    assert [path.name for path in saved_steps(many.output)] == ["step-3", "step-4", "step-5"]


def test_a_loss_that_is_no_number_stops_the_run_and_keeps_the_last_state(config: Training) -> None:
    base = Path(config.editor).with_name("broken")
    pipeline = tiny_pipeline()
    pipeline.save_pretrained(base)
    weights = load_file(base / UNET_WEIGHTS)
    weights["conv_out.bias"] = weights["conv_out.bias"] * float("nan")
    save_file(weights, base / UNET_WEIGHTS, metadata={"format": "pt"})
    broken = replace(config, editor=str(base), output=config.output.with_name("diverged"))
    with pytest.raises(TrainingError, match="loss is nan at step 1: lower learning_rate"):
        train_editor(broken)
    assert not (broken.output / "model_index.json").exists()


def test_a_folder_with_other_content_is_left_alone(config: Training, tmp_path: Path) -> None:
    (tmp_path / "letters.txt").write_text("dear")
    with pytest.raises(BadInputError, match="other content"):
        train_editor(replace(config, output=tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["letters.txt"]


def test_a_missing_editor_or_data_set_is_named(config: Training, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="nowhere"):
        train_editor(replace(config, dataset=tmp_path / "nowhere"))
    with pytest.raises(BadInputError, match="nobody@main is not on this machine"):
        train_editor(replace(config, editor=str(tmp_path / "nobody"), output=tmp_path / "out"))


def test_a_full_disk_is_told_in_one_line_and_leaves_the_state_before(config: Training) -> None:
    full = replace(config, output=config.output.with_name("full"), checkpoint_every=2)
    with pytest.raises(TrainingInterrupted):
        train_editor(full, should_stop=stop_after(2))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    # A file may not grow beyond this, which the system reports as it does a full disk.
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(
            TrainingError, match=r"state of step 4 cannot be written .* MiB free there.* kept in .*step-2"
        ):
            train_editor(full)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [path.name for path in (full.output / ".resume").iterdir()] == ["step-2"]
    train_editor(full)
    assert len(curve(full)) == 6


def test_a_shard_that_vanishes_while_a_run_reads_it_is_named(config: Training, tmp_path: Path) -> None:
    uncached = replace(
        config, dataset=write_dataset(tmp_path / "data"), output=tmp_path / "out", cache_latents=False, num_steps=50
    )

    def lose_a_shard() -> bool:
        (tmp_path / "data" / "00001.tar").unlink(missing_ok=True)
        return False

    with pytest.raises(BadInputError, match="00001.tar: missing, though its index is there"):
        train_editor(uncached, should_stop=lose_a_shard)
