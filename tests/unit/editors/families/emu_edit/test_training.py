"""Training of UNet and table together, and of one new task alone."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator
from diffusers import DDIMScheduler, StableDiffusionInstructPix2PixPipeline
from safetensors.torch import load_file
from tiny_models import tiny_pipeline, tiny_triplets

from editfoundry.data.shards import write_triplets
from editfoundry.editors.families.emu_edit.inversion import TaskInversionTrainee
from editfoundry.editors.families.emu_edit.task_file import read_task
from editfoundry.editors.families.emu_edit.task_table import NO_TASK, TaskTable, read_task_table
from editfoundry.editors.families.emu_edit.trainee import EmuEditTrainee
from editfoundry.editors.families.emu_edit.training_config import EmuEditTraining, TaskInversion
from editfoundry.editors.families.instruct_pix2pix import trainee as instruct_pix2pix
from editfoundry.editors.families.instruct_pix2pix.trainee import load_editor_to_train
from editfoundry.editors.train import train_editor, training_config
from editfoundry.errors import BadInputError
from editfoundry.training.failures import TrainingInterrupted

TASKS = ("local", "add", "")


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    folder = tmp_path_factory.mktemp("emu-training")
    tiny_pipeline(prediction_type="v_prediction").save_pretrained(folder / "base")
    triplets = [replace(one, task=TASKS[number % 3]) for number, one in enumerate(tiny_triplets(8))]
    write_triplets(folder / "data" / "00000.tar", triplets)
    return EmuEditTraining(
        editor=str(folder / "base"),
        dataset=folder / "data",
        validation_dataset=folder / "data",
        output=folder / "straight",
        num_steps=6,
        batch_size=4,
        learning_rate=1e-2,
        log_every=1,
        validate_every=3,
        sample_every=6,
        num_samples=2,
        conditioning_dropout=0.2,
        work_dir=folder / "work",
    )


@pytest.fixture(scope="module")
def trained(config):
    train_editor(config)
    return config


def inversion_of(trained, **changes):
    known = {**vars(trained), "editor": str(trained.output), "task_dropout": 0.0, "use_ema": False, **changes}
    fields = {name: value for name, value in known.items() if name in TaskInversion.__dataclass_fields__}
    return TaskInversion(invert_task="fog", **fields)


def stop_after(num_steps):
    calls = iter(range(1, 1000))
    return lambda: next(calls) >= num_steps


def weights(folder):
    tensors = load_file(folder / "unet/diffusion_pytorch_model.safetensors")
    return {**tensors, "table": read_task_table(folder).vectors.detach()}


def test_a_configuration_of_the_family_is_its_own_and_a_task_to_invert_makes_it_an_inversion(config, tmp_path):
    values = {"family": "emu_edit", "editor": "x", "dataset": "y", "output": str(tmp_path), "num_steps": 1}
    assert type(training_config(values)) is EmuEditTraining
    inverting = training_config({**values, "invert_task": "fog"})
    assert type(inverting) is TaskInversion and inverting.task_dropout == 0
    for name in ("none", "given", "predicted", "task_embeddings"):
        with pytest.raises(BadInputError, match=f"invert_task is '{name}', but must be another name"):
            training_config({**values, "invert_task": name})
    with pytest.raises(BadInputError, match="family instruct_pix2pix have no tasks: use emu_edit"):
        training_config({**values, "family": "instruct_pix2pix", "invert_task": "fog"})


def test_samples_lose_their_task_with_their_instruction_and_untold_triplets_have_none(config):
    trainee = EmuEditTrainee.load(replace(config, task_dropout=0.0), Accelerator(cpu=True))
    batches = [trainee.batch(step, slice(0, 4)) for step in range(20)]
    rows = torch.cat([batch.rows for batch in batches])
    dropped = torch.cat([batch.pairs.drop_text for batch in batches])
    own = torch.tensor([(0, 2, NO_TASK)[n % 3] for n in torch.cat([b.pairs.triplets for b in batches]).tolist()])
    assert 0 < dropped.sum() < len(dropped) and (rows[dropped] == NO_TASK).all()
    assert torch.equal(rows[~dropped], own[~dropped])
    always = EmuEditTrainee.load(replace(config, task_dropout=1.0), Accelerator(cpu=True))
    assert (always.batch(0, slice(0, 4)).rows == NO_TASK).all()


def test_unet_and_table_learn_together_and_rows_of_absent_tasks_stay(config, trained):
    before = EmuEditTrainee.load(config, Accelerator(cpu=True)).table.vectors.detach()
    table = read_task_table(config.output)
    moved = (table.vectors - before).abs().amax(1) > 1e-3
    assert [name for name, own in zip(table.names, moved.tolist(), strict=True) if own] == ["local", "add"]
    pipeline = StableDiffusionInstructPix2PixPipeline.from_pretrained(config.output, safety_checker=None)
    assert pipeline.unet.config.time_cond_proj_dim == 16
    assert (config.output / "samples" / "step-000006.png").is_file() or list((config.output / "samples").iterdir())


def test_a_run_that_was_stopped_goes_on_to_the_same_weights_table_included(config, trained):
    halved = replace(config, output=config.output.with_name("halved"), checkpoint_every=2)
    with pytest.raises(TrainingInterrupted):
        train_editor(halved, stop_after(3))
    train_editor(halved)
    straight, resumed = weights(config.output), weights(halved.output)
    assert all(torch.equal(straight[name], resumed[name]) for name in straight)


def test_with_lora_the_whole_editor_is_saved_and_no_updates_apart(config):
    lora = replace(config, output=config.output.with_name("lora"), lora_rank=2, num_steps=2)
    train_editor(lora)
    before, after = load_file(Path(config.editor) / "unet/diffusion_pytorch_model.safetensors"), weights(lora.output)
    changed = {name for name, value in after.items() if name not in before or not torch.equal(value, before[name])}
    assert {"table", "time_embedding.cond_proj.weight"} < changed
    assert not (lora.output / "lora").exists()


def test_a_task_to_invert_has_a_name_that_the_editor_s_own_table_has_not(trained, tmp_path):
    with pytest.raises(BadInputError, match="invert_task is 'add', but must be a new name: the editor has local, remo"):
        train_editor(replace(inversion_of(trained), invert_task="add", output=tmp_path / "out"))
    shutil.copytree(trained.output, tmp_path / "other")
    shutil.rmtree(tmp_path / "other/task_embeddings")
    TaskTable(torch.zeros(1, 16), ["fog"]).save(tmp_path / "other")
    renamed = inversion_of(trained, editor=str(tmp_path / "other"), output=tmp_path / "out", num_steps=1)
    with pytest.raises(BadInputError, match="invert_task is 'fog', but must be a new name: the editor has fog$"):
        train_editor(renamed)
    train_editor(replace(renamed, invert_task="add"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"from_scratch": True}, "from_scratch is True, but must be false where invert_task is set: the editor stays"),
        ({"image_channels": "random"}, "image_channels is 'random', but must be zero where invert_task is set"),
        ({"prediction_type": "epsilon"}, "prediction_type is 'epsilon', but must be v_prediction, or left out, where"),
    ],
)
def test_an_inversion_with_settings_of_another_editor_is_refused(trained, tmp_path, settings, message):
    with pytest.raises(BadInputError, match=message):
        train_editor(inversion_of(trained, output=tmp_path / "out", **settings))
    assert not (tmp_path / "out" / "fog.safetensors").exists()


def test_an_inversion_takes_the_schedule_that_the_editor_was_trained_on_and_no_other(trained, tmp_path):
    zero = {"prediction_type": "v_prediction", "zero_terminal_snr": True}
    TaskInversionTrainee.load(inversion_of(trained, **zero), Accelerator(cpu=True))
    scheduler = DDIMScheduler(prediction_type="v_prediction")
    shutil.copytree(trained.output, tmp_path / "other")
    scheduler.save_pretrained(tmp_path / "other/scheduler")
    with pytest.raises(BadInputError, match="zero_terminal_snr is True, but must be false where invert_task is set"):
        train_editor(inversion_of(trained, editor=str(tmp_path / "other"), output=tmp_path / "out", **zero))


def test_an_editor_of_the_hub_whose_table_is_not_at_hand_is_refused(trained, monkeypatch):
    of_hub = replace(trained, editor="somebody/emu")
    monkeypatch.setattr(instruct_pix2pix, "load_editor_to_train", lambda *_: load_editor_to_train(str(trained.output)))
    with pytest.raises(BadInputError, match="somebody/emu: its UNet is told tasks, .* fetch the editor into one first"):
        EmuEditTrainee.load(of_hub, Accelerator(cpu=True))
    with pytest.raises(BadInputError, match="has no task_embeddings, .*; fetch an editor of the hub into a folder"):
        TaskInversionTrainee.load(inversion_of(trained, editor="somebody/emu"), Accelerator(cpu=True))


def test_in_task_inversion_the_gradient_reaches_the_one_vector_alone(trained):
    trainee = TaskInversionTrainee.load(inversion_of(trained), Accelerator(cpu=True))
    [part] = trainee.parts
    loss = trainee.loss([part.module], trainee.batch(0, slice(0, 4)))
    loss.backward()
    assert trainee.table.vectors.shape == (1, 16) and trainee.table.vectors.grad.abs().sum() > 0
    pipeline = trainee.editor.pipeline
    frozen = [*pipeline.unet.parameters(), *pipeline.text_encoder.parameters(), *pipeline.vae.parameters()]
    assert all(parameter.grad is None for parameter in frozen)


def test_a_learnt_task_is_a_small_file_for_its_editor_and_a_stopped_run_ends_in_the_same_one(trained):
    config = inversion_of(trained, output=trained.output.with_name("fog"))
    train_editor(config)
    path = config.output / "fog.safetensors"
    assert path.stat().st_size < 4096
    learnt = read_task(path, trained.output, 16)
    start = read_task_table(trained.output).vectors.mean(0)
    assert learnt.name == "fog" and not torch.allclose(learnt.vector, start, atol=1e-3)
    halved = replace(config, output=config.output.with_name("fog-halved"))
    with pytest.raises(TrainingInterrupted):
        train_editor(halved, stop_after(2))
    train_editor(halved)
    assert torch.equal(read_task(halved.output / path.name, trained.output, 16).vector, learnt.vector)


def test_an_inversion_keeps_the_tasks_that_its_output_holds_and_takes_no_editor_s_place(trained):
    config = inversion_of(trained, output=trained.output.with_name("several"), num_steps=1)
    train_editor(config)
    fog = (config.output / "fog.safetensors").read_bytes()
    train_editor(replace(config, invert_task="mist"))
    assert (config.output / "fog.safetensors").read_bytes() == fog and (config.output / "mist.safetensors").is_file()
    table = (trained.output / "task_embeddings" / "task_embeddings.safetensors").read_bytes()
    for output in (trained.output, trained.output / "fog", trained.output.parent):
        with pytest.raises(BadInputError, match=r"output is '.*', but must be apart from .*straight"):
            train_editor(replace(config, output=output))
    # The configuration that trained the editor, told to learn a task.
    with pytest.raises(BadInputError, match="straight: holds the output of training, not of task inversion"):
        train_editor(inversion_of(trained, editor=trained.editor))
    with pytest.raises(BadInputError, match="several: holds the output of task inversion, not of training"):
        train_editor(replace(trained, output=config.output))
    assert (trained.output / "task_embeddings" / "task_embeddings.safetensors").read_bytes() == table


def test_an_editor_without_a_table_has_no_tasks_to_learn(config):
    with pytest.raises(BadInputError, match="has no task_embeddings"):
        train_editor(inversion_of(config, editor=config.editor, output=config.output.with_name("none")))
