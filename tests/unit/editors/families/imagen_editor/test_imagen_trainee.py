"""A cascade is trained from a file: exactly resumed, the same in parts, from a cascade or from text-to-image models."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tiny_cascade import save_tiny_if, tiny_cascade
from tiny_models import tiny_image

from editfoundry.data.captioned_pictures import write_captioned_pictures
from editfoundry.editors.families.imagen_editor.trainee import ImagenEditorTrainee
from editfoundry.editors.families.imagen_editor.training_config import ImagenEditorTraining
from editfoundry.editors.open_editor import open_editor
from editfoundry.editors.train import train_editor, training_config
from editfoundry.errors import BadInputError
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.training.failures import TrainingInterrupted


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> ImagenEditorTraining:
    folder = tmp_path_factory.mktemp("imagen")
    tiny_cascade().save_pretrained(folder / "cascade")
    records = [(tiny_image(n, (20, 16)), f"a cup {n}", [[4.0, 4.0, 12.0, 12.0]]) for n in range(8)]
    write_captioned_pictures(folder / "data", records, 8)
    values = {
        "family": "imagen_editor", "editor": str(folder / "cascade"), "dataset": str(folder / "data"),
        "output": str(folder / "out"), "num_steps": 4, "batch_size": 4, "boxes": "stored", "learning_rate": 1e-3,
        "work_dir": str(folder / "work"), "checkpoint_every": 1,
    }  # fmt: skip
    made = training_config(values)
    assert isinstance(made, ImagenEditorTraining)
    return made


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return {
        f"{path.parent.name}.{name}": value
        for path in sorted(folder.glob("*/*.safetensors"))
        for name, value in load_file(path).items()
    }


def changed(first: Path, second: Path) -> set[str]:
    before, after = weights(first), weights(second)
    assert before.keys() == after.keys()
    return {name.partition(".")[0] for name in before if not torch.equal(before[name], after[name])}


def test_all_stages_learn_and_the_text_encoder_stays_and_the_checkpoint_paints(
    config: ImagenEditorTraining, tmp_path: Path
) -> None:
    config = replace(config, output=tmp_path / "out", sample_every=4)
    summary = train_editor(config)
    assert changed(Path(config.editor), config.output) == {"unet", "unet_2", "mask_encoder", "mask_encoder_2"}
    assert summary["num_pictures"] == 8 and summary["num_passed_over"] == 0
    assert list((config.output / "samples").glob("*.png"))
    editor = open_editor(str(config.output), choose_runtime("cpu"))
    assert editor.source.family.name == "imagen_editor" and editor.model.side == 16


def test_a_stopped_and_resumed_run_gives_the_same_weights(config: ImagenEditorTraining, tmp_path: Path) -> None:
    through, stopped = replace(config, output=tmp_path / "a"), replace(config, output=tmp_path / "b")
    train_editor(through)
    steps = iter([False, True])
    with pytest.raises(TrainingInterrupted):
        train_editor(stopped, lambda: next(steps))
    train_editor(stopped)
    assert changed(through.output, stopped.output) == set()


def test_a_step_in_parts_is_the_step_as_a_whole(config: ImagenEditorTraining, tmp_path: Path) -> None:
    outputs = []
    for parts in (1, 2):
        output = tmp_path / str(parts)
        train_editor(replace(config, output=output, gradient_accumulation_steps=parts, num_steps=1))
        outputs.append(weights(output))
    for name, value in outputs[0].items():
        assert torch.allclose(value, outputs[1][name], atol=2e-4), name


def test_a_stage_is_trained_alone_and_one_that_there_is_not_is_refused(
    config: ImagenEditorTraining, tmp_path: Path
) -> None:
    alone = replace(config, output=tmp_path / "out", stages=("super_resolution",), num_steps=1)
    train_editor(alone)
    assert changed(Path(config.editor), alone.output) == {"unet_2", "mask_encoder_2"}
    with pytest.raises(BadInputError, match="stages names super_resolution_2, but the cascade has base, super_reso"):
        train_editor(replace(alone, output=tmp_path / "other", stages=("super_resolution_2",)))
    with pytest.raises(BadInputError, match="stages is .*, but must be some of base"):
        replace(config, stages=("middle",))


def test_weights_that_are_spread_over_processes_are_saved_whole(config: ImagenEditorTraining, tmp_path: Path) -> None:
    from accelerate import Accelerator

    trainee = ImagenEditorTrainee.load(replace(config, stages=("base",)), Accelerator())
    whole = {name: torch.full_like(value, 0.5) for name, value in trainee.parts[0].module.state_dict().items()}
    trainee.save(tmp_path, [whole])
    written = weights(tmp_path)
    assert all((v == 0.5).all() for n, v in written.items() if n.startswith(("unet.", "mask_encoder.")))
    assert changed(Path(config.editor), tmp_path) == {"unet", "mask_encoder"}


@pytest.mark.parametrize("downsampling", ["learned", "bicubic"])
def test_deepfloyd_s_text_to_image_models_with_t5_become_a_cascade(
    config: ImagenEditorTraining, tmp_path: Path, downsampling: str
) -> None:
    base, larger = save_tiny_if(tmp_path)
    given: dict[str, Any] = {"editor": str(base), "super_resolution": (str(larger),), "downsampling": downsampling}
    trained = replace(config, **given, output=tmp_path / "out", num_steps=1, mask_channels=4)
    assert len(trained.identity()["super_resolution"]) == 1
    train_editor(trained)
    pipeline = open_editor(str(trained.output), choose_runtime("cpu")).model
    assert type(pipeline.text_encoder).__name__ == "T5EncoderModel"
    assert [stage.unet.config.in_channels for stage in pipeline.stages] == [7, 10]
    assert pipeline.mask_encoder.config.downsampling == downsampling
    assert pipeline.scheduler.config.thresholding


def test_what_is_no_start_is_refused_in_one_line(config: ImagenEditorTraining, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="is a cascade and has its super-resolution"):
        train_editor(replace(config, super_resolution=("package:text_to_image",), output=tmp_path / "out"))
    with pytest.raises(BadInputError, match="training starts from an ImagenEditorPipeline, or from an IFPipeline"):
        train_editor(replace(config, editor="package:text_to_image", output=tmp_path / "out"))
