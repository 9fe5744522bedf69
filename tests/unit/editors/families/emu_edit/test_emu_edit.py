"""The family on random models of the real classes: what a task changes, and what stays InstructPix2Pix."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionInstructPix2PixPipeline
from function_editors import request
from safetensors.torch import save_file
from tiny_emu_edit import save_editor
from tiny_models import tiny_image, tiny_pipeline

from editfoundry.data.edit_tasks import TASK_NAMES
from editfoundry.editors.families.emu_edit.conditioning import TaskConditioned
from editfoundry.editors.families.emu_edit.task_file import InvertedTask, find_task, frozen_hash, write_task
from editfoundry.editors.families.instruct_pix2pix.sampling import edit_images
from editfoundry.editors.open_editor import find_editor, open_editor
from editfoundry.editors.triplet_training import content_hashes
from editfoundry.errors import BadInputError
from editfoundry.evaluation.contestants_by_name import EditorOptions, contestants_by_name
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.profiles import load_profile

RUNTIME, EMBEDDED = choose_runtime("cpu"), load_profile("embedded")
STEPS = {"num_inference_steps": 3}
SCALES = {"guidance_scale": 5.0, "image_guidance_scale": 1.5}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_editor(tmp_path_factory.mktemp("emu"), torch.randn(16, 16, generator=torch.Generator().manual_seed(0)))


def edits(folder, *requests, **options):
    return [made.require().tobytes() for made in open_editor(str(folder), RUNTIME, **STEPS, **options).edit(requests)]


def plain(folder, **options):
    pipeline = StableDiffusionInstructPix2PixPipeline.from_pretrained(folder, safety_checker=None)
    pipeline.set_progress_bar_config(disable=True)
    return edit_images(pipeline, [tiny_image(1)], ["melt it"], seeds=[3], **STEPS, **{**SCALES, **options})[0].tobytes()


def test_a_folder_with_a_table_is_of_this_family_and_one_without_is_not(folder, tmp_path):
    tiny_pipeline().save_pretrained(tmp_path / "plain")
    assert find_editor(str(folder)).family.name == "emu_edit"
    assert find_editor(str(tmp_path / "plain")).family.name == "instruct_pix2pix"


def test_plain_diffusers_opens_the_folder_and_edits_as_the_family_does_without_a_task(folder):
    pipeline = StableDiffusionInstructPix2PixPipeline.from_pretrained(folder, safety_checker=None)
    pipeline.set_progress_bar_config(disable=True)
    generator = torch.Generator().manual_seed(3)
    theirs = pipeline("melt it", tiny_image(1), generator=generator, **STEPS, **SCALES).images[0]
    assert edits(folder, request(tiny_image(1), "melt it", 3)) == [theirs.tobytes()]


def test_with_a_table_of_zeros_every_task_s_edit_is_instruct_pix2pix_s_bit_for_bit(tmp_path):
    folder = save_editor(tmp_path / "zeros", torch.zeros(16, 16))
    asked = [request(tiny_image(1), "melt it", 3, task=task) for task in ("local", "style")]
    assert edits(folder, asked[0]) == edits(folder, asked[1]) == [plain(folder)]


def test_a_task_changes_its_own_edit_alone_and_the_option_overrules_the_requests(folder):
    one = request(tiny_image(1), "melt it", 3, task="add")
    none, other = request(tiny_image(1), "melt it", 3), request(tiny_image(1), "melt it", 3, task="style")
    [added], [untold], [styled] = (edits(folder, asked) for asked in (one, none, other))
    assert len({added, untold, styled}) == 3
    assert edits(folder, one, task="none") == [untold] and edits(folder, none, task="style") == [styled]
    # In one batch the same as alone, up to rounding.
    for edited, alone in zip(edits(folder, one, none, other), (added, untold, styled), strict=True):
        assert np.abs(np.frombuffer(edited, np.uint8).astype(int) - np.frombuffer(alone, np.uint8)).max() <= 2


def test_the_task_reaches_the_full_condition_alone(folder):
    pipeline, seen = tiny_pipeline(), []

    def unet(sample, timestep, **told):
        seen.append(told)
        return (sample[:, :4],)

    vectors = torch.tensor([[1.0] * 16, [0.0] * 16])
    conditioned = TaskConditioned(unet, vectors, vectors.ne(0).any(1))
    images, words = [tiny_image(1), tiny_image(2)], ["melt it", "add a cat"]
    edit_images(pipeline, images, words, seeds=[1, 2], num_inference_steps=1, denoiser=conditioned)
    [told] = seen
    assert told["timestep_cond"].sum(1).tolist() == [0, 0, 0, 0, 16, 0]
    assert torch.equal(told["encoder_hidden_states"][:, -1], told["timestep_cond"])
    assert told["encoder_attention_mask"][:, -1].tolist() == [False, False, False, False, True, False]
    assert told["encoder_attention_mask"][:, :-1].all()


def test_an_unknown_task_is_one_line_that_lists_the_names(folder):
    [good, bad] = open_editor(str(folder), RUNTIME, **STEPS).edit(
        [request(tiny_image(1), "melt it", task=task) for task in ("add", "fly")]
    )
    assert good.failure is None and bad.failure == "unknown-task"
    assert bad.detail == f"unknown task 'fly': use {', '.join(TASK_NAMES)}"


def test_a_learnt_task_is_taken_by_path_and_by_name_and_refused_by_another_editor(folder, tmp_path):
    learnt = InvertedTask("fog", torch.full((16,), 2.0), frozen_hash(str(folder)))
    path = write_task(tmp_path, learnt)
    assert path.name == "fog.safetensors" and path.stat().st_size < 4096
    asked = [request(tiny_image(1), "melt it", 3, task=name) for name in (str(path), str(tmp_path), None)]
    [by_path], [by_folder], [untold] = (edits(folder, one) for one in asked)
    assert by_path == by_folder != untold
    (folder / "task_embeddings" / path.name).write_bytes(path.read_bytes())
    assert edits(folder, request(tiny_image(1), "melt it", 3, task="fog")) == [by_path]
    other = save_editor(tmp_path / "other", prediction_type="epsilon")
    pipeline = StableDiffusionInstructPix2PixPipeline.from_pretrained(other, safety_checker=None)
    pipeline.unet.conv_in.weight.data += 1
    pipeline.unet.save_pretrained(other / "unet")
    [refused] = open_editor(str(other), RUNTIME, **STEPS).edit([asked[0]])
    assert refused.failure == "unknown-task" and "was learnt for another editor" in refused.detail


def test_for_a_learnt_task_the_editor_s_files_are_hashed_once(folder, tmp_path, monkeypatch):
    path = write_task(tmp_path, InvertedTask("fog", torch.full((16,), 2.0), frozen_hash(str(folder))))
    hashed, real = [], content_hashes.file_hash
    monkeypatch.setattr(content_hashes, "file_hash", lambda file: (hashed.append(file), real(file))[1])
    editor = open_editor(str(folder), RUNTIME, **STEPS)
    assert not hashed
    for asked in [request(tiny_image(1), "melt it", 3, task=str(path))] * 2:
        editor.edit([asked])[0].require()
        editor.with_options(task=str(path)).edit([asked])[0].require()
    assert hashed and len(hashed) == len(set(hashed))


def test_a_folder_of_several_learnt_tasks_names_them_and_one_of_none_is_passed_over(folder, tmp_path, monkeypatch):
    learnt = InvertedTask("haze", torch.full((16,), 2.0), frozen_hash(str(folder)))
    write_task(folder / "task_embeddings", learnt)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "haze").mkdir()
    save_file({"weight": torch.zeros(1)}, tmp_path / "haze" / "model.safetensors")
    assert find_task("haze", folder) == folder / "task_embeddings" / "haze.safetensors"
    for name in ("fog", "mist"):
        write_task(tmp_path / "haze", replace(learnt, name=name))
    with pytest.raises(BadInputError, match="haze: holds the learnt tasks fog, mist: name one's file"):
        find_task("haze", folder)


@pytest.mark.parametrize("name", ["x" * 300, "x/" * 3000, "/", "."])
def test_a_name_that_no_file_can_have_is_an_unknown_task(folder, name):
    [made] = open_editor(str(folder), RUNTIME, **STEPS).edit([request(tiny_image(1), "melt it", task=name)])
    assert made.failure == "unknown-task" and made.detail.startswith("unknown task")


def test_a_fixed_task_is_checked_before_the_editor_is_loaded_and_counts_by_its_content(folder, tmp_path):
    with pytest.raises(BadInputError, match="emu.*: unknown task 'bogus': use"):
        find_editor(str(folder)).options({"task": "bogus"})
    for content, message in ((torch.nan, "fog.safetensors: its vector is not all finite"), (1.0, "another editor")):
        path = write_task(tmp_path, InvertedTask("fog", torch.full((16,), content), "0"))
        with pytest.raises(BadInputError, match=message):
            contestants_by_name([str(folder)], EMBEDDED, RUNTIME, EditorOptions(given={"task": str(path)}))
    identities = set()
    for content in (1.0, 2.0):
        write_task(tmp_path, InvertedTask("fog", torch.full((16,), content), frozen_hash(str(folder))))
        [one] = contestants_by_name([str(folder)], EMBEDDED, RUNTIME, EditorOptions(given={"task": str(path)}))
        identities.add(one.identity)
    assert len(identities) == 2


def rewritten(folder, vectors=None, **config):
    place = folder / "task_embeddings"
    if vectors is not None:
        save_file({"vectors": vectors}, place / "task_embeddings.safetensors")
    if config:
        (place / "config.json").write_text(json.dumps(config))


@pytest.mark.parametrize(
    ("vectors", "names", "message"),
    [
        (torch.zeros(16, 8), None, "task_embeddings are 8 wide, but its UNet reads 16"),
        (
            torch.zeros(16, 16, dtype=torch.int64),
            None,
            "task_embeddings.safetensors: vectors are not all finite floats",
        ),
        (torch.full((16, 16), torch.nan), None, "task_embeddings.safetensors: vectors are not all finite floats"),
        (torch.zeros(0, 16), [], "config.json does not name the rows"),
        (torch.zeros(2, 16), ["add", "add"], "config.json: names the task 'add' twice"),
        (torch.zeros(2, 16), ["add", "none"], "config.json: a task is called 'none', which no task can be"),
        (torch.zeros(2, 16), ["add", ""], "config.json: a task is called ''"),
    ],
)
def test_a_table_that_no_edit_can_be_made_by_is_refused_when_the_editor_is_opened(tmp_path, vectors, names, message):
    folder = save_editor(tmp_path / "emu")
    rewritten(folder, vectors, **({} if names is None else {"tasks": names}))
    with pytest.raises(BadInputError, match=message):
        open_editor(str(folder), RUNTIME)


def test_a_table_beside_a_unet_that_is_told_no_tasks_is_refused(tmp_path):
    folder = save_editor(tmp_path / "emu")
    tiny_pipeline().unet.save_pretrained(folder / "unet")
    with pytest.raises(BadInputError, match="has task_embeddings, but its UNet has no time_cond_proj"):
        open_editor(str(folder), RUNTIME)


def test_a_table_that_does_not_fit_its_names_is_refused_by_its_folder(tmp_path):
    folder = save_editor(tmp_path / "emu")
    (folder / "task_embeddings" / "config.json").write_text(json.dumps({"tasks": ["add"]}))
    with pytest.raises(BadInputError, match="task_embeddings: config.json does not name the rows"):
        open_editor(str(folder), RUNTIME)
