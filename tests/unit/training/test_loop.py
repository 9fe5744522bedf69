import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers import StableDiffusionInstructPix2PixPipeline
from PIL import Image
from safetensors.torch import load_file, save_file
from tiny_models import psnr, tiny_image, tiny_pipeline, write_dataset

from editfoundry.editors.instruct_pix2pix import edit_images
from editfoundry.errors import BadInputError
from editfoundry.training.config import TrainingConfig
from editfoundry.training.failures import TrainingError, TrainingInterrupted
from editfoundry.training.finished import is_trained
from editfoundry.training.loop import train
from editfoundry.training.resume import saved_steps

UNET_WEIGHTS = "unet/diffusion_pytorch_model.safetensors"


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> TrainingConfig:
    folder = tmp_path_factory.mktemp("training")
    tiny_pipeline(prediction_type="v_prediction").save_pretrained(folder / "base")
    return TrainingConfig(
        editor=str(folder / "base"), dataset=write_dataset(folder / "data"), output=folder / "straight", num_steps=6,
        batch_size=4, learning_rate=1e-3, num_warmup_steps=2, log_every=1, conditioning_dropout=0.2,
        work_dir=folder / "work",
    )  # fmt: skip


def stop_after(num_steps: int) -> Callable[[], bool]:
    calls = iter(range(1, 1000))
    return lambda: next(calls) >= num_steps


def curve(config: TrainingConfig) -> list[float]:
    summary = json.loads((config.output / "training.json").read_text())
    return [loss for _, loss in summary["loss_curve"]]


def unet_weights(config: TrainingConfig) -> dict[str, torch.Tensor]:
    return load_file(config.output / UNET_WEIGHTS)


def flat_unet(folder: Path) -> torch.Tensor:
    return torch.cat([value.double().flatten() for _, value in sorted(load_file(folder / UNET_WEIGHTS).items())])


def relative_distance(one: TrainingConfig, other: TrainingConfig) -> float:
    """How far apart two runs end, as a share of how far ``other`` went from the base."""
    straight = flat_unet(other.output)
    return float((flat_unet(one.output) - straight).norm() / (straight - flat_unet(Path(other.editor))).norm())


@pytest.fixture(scope="module")
def trained(config: TrainingConfig) -> TrainingConfig:
    train(config)
    return config


def test_a_stopped_and_resumed_run_equals_a_straight_one(trained: TrainingConfig) -> None:
    resumed = replace(trained, output=trained.output.with_name("resumed"))
    with pytest.raises(TrainingInterrupted, match="after step 3 of 6"):
        train(resumed, should_stop=stop_after(3))
    assert [path.name for path in saved_steps(resumed.output)] == ["step-3"]
    assert not is_trained(resumed)
    train(resumed)
    assert curve(resumed) == pytest.approx(curve(trained), abs=1e-6)
    assert relative_distance(resumed, trained) < 1e-6
    assert not (resumed.output / ".resume").exists()


def test_accumulation_changes_memory_but_not_the_result(trained: TrainingConfig) -> None:
    parts = replace(trained, output=trained.output.with_name("parts"), gradient_accumulation_steps=2)
    train(parts)
    assert curve(parts) == pytest.approx(curve(trained), abs=1e-4)
    assert relative_distance(parts, trained) < 0.01
    # The same measure tells apart two runs that differ in their samples.
    reseeded = replace(trained, output=trained.output.with_name("reseeded"), seed=1)
    train(reseeded)
    assert relative_distance(reseeded, trained) > 0.1


def test_the_checkpoint_opens_in_plain_diffusers_and_gives_the_same_picture(trained: TrainingConfig) -> None:
    pipeline = StableDiffusionInstructPix2PixPipeline.from_pretrained(trained.output)
    pipeline.set_progress_bar_config(disable=True)
    image: Image.Image = tiny_image(9)
    generator = torch.Generator().manual_seed(1)
    expected = pipeline("melt it", image, num_inference_steps=3, generator=generator).images[0]
    [found] = edit_images(pipeline, [image], ["melt it"], seeds=[1], num_inference_steps=3)
    assert psnr(found, expected) >= 40


def test_training_changes_the_unet_and_nothing_else(trained: TrainingConfig) -> None:
    base = Path(trained.editor)
    for name in ("vae/diffusion_pytorch_model.safetensors", "text_encoder/model.safetensors"):
        before, after = load_file(base / name), load_file(trained.output / name)
        assert all(torch.equal(before[key], after[key]) for key in before)
    before, after = load_file(base / UNET_WEIGHTS), unet_weights(trained)
    assert before.keys() == after.keys()
    assert any(not torch.equal(before[key], after[key]) for key in before)


def test_the_summary_tells_speed_settings_and_data(trained: TrainingConfig) -> None:
    summary = json.loads((trained.output / "training.json").read_text())
    assert (summary["num_steps"], summary["num_triplets"], len(summary["loss_curve"])) == (6, 8, 6)
    assert summary["samples_per_second"] > 0 and summary["config"]["learning_rate"] == 1e-3
    assert len(summary["dataset_hash"]) == 64


def test_a_finished_checkpoint_is_not_trained_again_until_a_setting_changes(trained: TrainingConfig) -> None:
    written = (trained.output / "training.json").stat().st_mtime_ns
    train(trained)
    assert (trained.output / "training.json").stat().st_mtime_ns == written
    assert is_trained(replace(trained, log_every=5))
    assert not is_trained(replace(trained, learning_rate=2e-3))


def test_a_checkpoint_of_other_settings_is_not_resumed_from(trained: TrainingConfig) -> None:
    first = replace(trained, output=trained.output.with_name("changed"), num_steps=3, checkpoint_every=1)
    with pytest.raises(TrainingInterrupted):
        train(first, should_stop=stop_after(2))
    assert [path.name for path in saved_steps(first.output)] == ["step-1", "step-2"]
    changed = replace(first, learning_rate=5e-4)
    train(changed)
    assert len(curve(changed)) == 3


def test_a_loss_that_is_no_number_stops_the_run_and_keeps_the_last_state(config: TrainingConfig) -> None:
    base = Path(config.editor).with_name("broken")
    pipeline = tiny_pipeline()
    pipeline.save_pretrained(base)
    weights = load_file(base / UNET_WEIGHTS)
    weights["conv_out.bias"] = weights["conv_out.bias"] * float("nan")
    save_file(weights, base / UNET_WEIGHTS, metadata={"format": "pt"})
    broken = replace(config, editor=str(base), output=config.output.with_name("diverged"))
    with pytest.raises(TrainingError, match="loss is nan at step 1: lower learning_rate"):
        train(broken)
    assert not (broken.output / "model_index.json").exists()


def test_a_text_to_image_model_is_widened_and_its_text_encoder_can_train(config: TrainingConfig) -> None:
    base = Path(config.editor).with_name("narrow")
    tiny_pipeline(in_channels=4).save_pretrained(base)
    wide = replace(
        config, editor=str(base), output=config.output.with_name("wide"), num_steps=2, train_text_encoder=True,
        use_ema=False,
    )  # fmt: skip
    train(wide)
    assert unet_weights(wide)["conv_in.weight"].shape[1] == 8
    name = "text_encoder/model.safetensors"
    before, after = load_file(base / name), load_file(wide.output / name)
    assert any(not torch.equal(before[key], after[key]) for key in before)


def test_a_folder_with_other_content_is_left_alone(config: TrainingConfig, tmp_path: Path) -> None:
    (tmp_path / "letters.txt").write_text("dear")
    with pytest.raises(BadInputError, match="other content"):
        train(replace(config, output=tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["letters.txt"]


def test_a_missing_editor_or_data_set_is_named(config: TrainingConfig, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="nowhere"):
        train(replace(config, dataset=tmp_path / "nowhere"))
    with pytest.raises(BadInputError, match="nobody: cannot be loaded"):
        train(replace(config, editor=str(tmp_path / "nobody"), output=tmp_path / "out"))
