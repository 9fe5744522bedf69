"""What all families have in common: the names they go by, sizes, seeds, needs, options."""

import json
from dataclasses import dataclass

import numpy as np
import pytest
from function_editors import request
from PIL import Image
from tiny_models import psnr, tiny_image
from tiny_painter import save_models
from tiny_sdxl import tiny_sdxl

from editfoundry.editors import families
from editfoundry.editors.editor_family import EditorFamily, FamilyTraining
from editfoundry.editors.families.instruct_pix2pix.sampling import edit_images
from editfoundry.editors.open_editor import find_editor, open_editor, own_names
from editfoundry.editors.train import training_config
from editfoundry.errors import BadInputError
from editfoundry.evaluation.contestants_by_name import EditorOptions, contestants_by_name
from editfoundry.pretrained.editor_base import load_editor_base
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.profiles import load_profile
from editfoundry.tinyworld.benchmark import plain_cases
from editfoundry.training.loop_config import LoopConfig

RUNTIME = choose_runtime("cpu")
STEPS = {"num_inference_steps": 3}


@pytest.fixture(scope="module")
def profile(tmp_path_factory):
    return load_profile(save_models(tmp_path_factory.mktemp("families")))


@pytest.fixture(scope="module")
def cases():
    return plain_cases(3, seed=0)


def request_of(case):
    return request(Image.fromarray(case.input_image), case.instruction, truth=Image.fromarray(case.true_output))


@pytest.mark.parametrize("name", ["sdedit", "diffedit", "prompt-to-prompt"])
def test_sdxl_is_told_the_size_at_which_a_picture_is_edited(name, tmp_path):
    tiny_sdxl().save_pretrained(tmp_path / "painter")
    (tmp_path / "sdxl.toml").write_text(f'[text_to_image]\nmodel = "{tmp_path / "painter"}"\n')
    editor = open_editor(name, RUNTIME, load_profile(tmp_path / "sdxl.toml"), num_inference_steps=2)
    told = []
    editor.model.unet.register_forward_pre_hook(
        lambda _, args, kwargs: told.extend(kwargs["added_cond_kwargs"]["time_ids"].tolist()), with_kwargs=True
    )
    wide = request(tiny_image(1, (64, 32)), input_caption="a cat", output_caption="a dog")
    editor.edit([wide])[0].require()
    assert told and all(ids == [16, 32, 0, 0, 16, 32] for ids in told)


@pytest.mark.parametrize("name", ["base", "sdedit", "diffedit", "prompt-to-prompt"])
def test_edits_have_their_pictures_sizes_and_follow_from_the_seeds(name, profile):
    options = {**STEPS, "num_maps": 2} if name == "diffedit" else STEPS
    editor = open_editor(name, RUNTIME, profile, **options)
    images = [tiny_image(1, (40, 24)), tiny_image(2), tiny_image(3, (40, 24))]
    captions = ["a wet cat", "a fox in sea", "a dog"]

    def edit(order, seeds):
        requests = [
            request(images[i], seed=seeds[i], input_caption="a cat in sea", output_caption=captions[i]) for i in order
        ]
        return [made.require() for made in editor.edit(requests)]

    edited = edit([0, 1, 2], [5, 6, 7])
    assert [e.size for e in edited] == [(40, 24), (32, 32), (40, 24)]
    assert all(e.mode == "RGB" for e in edited)
    again = edit([2, 0], [5, 6, 7])
    # Alone or in another batch the same, up to rounding.
    assert min(psnr(again[0], edited[2]), psnr(again[1], edited[0])) > 45
    differs = edit([1], [5, 8, 7])[0].tobytes() != edited[1].tobytes()
    # Prompt-to-prompt draws nothing, and DiffEdit's noise may leave the same mask.
    assert differs or name in ("prompt-to-prompt", "diffedit")


def test_base_is_the_profiles_editor(profile):
    editor = open_editor("base", RUNTIME, profile, guidance_scale=4.0, **STEPS)
    expected = edit_images(
        load_editor_base(profile, RUNTIME), [tiny_image(1)], ["melt"], seeds=[3], guidance_scale=4.0, **STEPS
    )
    [made] = editor.edit([request(tiny_image(1), "melt", 3)])
    assert made.require().tobytes() == expected[0].tobytes()
    with pytest.raises(BadInputError, match="name a profile"):
        open_editor("base", RUNTIME)


def test_input_and_truth_are_the_bounds_and_requests_without_what_is_needed_fail_by_name(profile, cases):
    for name, expected in (("input", "input_image"), ("truth", "true_output")):
        edits = open_editor(name, RUNTIME).edit([request_of(case) for case in cases])
        assert all(np.array_equal(e.image, getattr(c, expected)) for e, c in zip(edits, cases, strict=True))
    [blind] = open_editor("truth", RUNTIME).edit([request(tiny_image(0), id="x")])
    assert (blind.failure, blind.detail) == ("no-truth", "x has no true outcome, which truth edits by")
    sdedit = open_editor("sdedit", RUNTIME, profile, **STEPS)
    edits = sdedit.edit([request(tiny_image(0), output_caption=caption) for caption in ("", "a dog", None)])
    assert [edit.failure for edit in edits] == ["no-caption", None, "no-caption"]
    with pytest.raises(BadInputError, match="no-caption: .*output_caption, which sdedit edits by"):
        edits[0].require()


@pytest.mark.parametrize(
    ("name", "option", "message"),
    [
        ("sdedit", {"tau": 1}, "sdedit has no option tau"),
        ("input", {"num_inference_steps": 1}, "input has no option num-inference-steps"),
        ("sdedit", {"strength": 2.0}, "sdedit: strength is 2.0"),
        ("base", {"num_inference_steps": 0}, "base: num_inference_steps is 0, but must be in 1 to 1000"),
        ("diffedit", {"encoding_ratio": 0.0}, r"must be in \(0, 1\]"),
        ("prompt-to-prompt", {"control": "swap"}, "must be auto, replace or refine"),
    ],
)
def test_options_that_are_not_there_or_cannot_be_are_refused_before_anything_is_loaded(name, option, message):
    with pytest.raises(BadInputError, match=message):
        find_editor(name, load_profile("paper")).options(option)


def test_the_names_that_are_no_folders_are_the_families():
    assert set(own_names()) == {
        "input",
        "truth",
        "base",
        "sdedit",
        "diffedit",
        "prompt-to-prompt",
        "inpainting",
        "inpainter",
    }
    with pytest.raises(BadInputError, match="p2p: no editor here"):
        find_editor("p2p")


@dataclass(frozen=True, kw_only=True)
class TintOptions:
    strength: float = 0.5


def _tint(editor, requests):
    red = [Image.new("RGB", r.image.size, editor.model) for r in requests]
    return [Image.blend(r.image, r_, editor.options.strength) for r, r_ in zip(requests, red, strict=True)]


TINT = EditorFamily(
    name="tint",
    names={"redden": "Makes pictures redder."},
    pipeline_classes=("TintPipeline",),
    options_class=TintOptions,
    load=lambda source, runtime: "red" if source.folder is None else (source.folder / "colour").read_text(),
    edit=_tint,
    training=FamilyTraining(LoopConfig, "nowhere:TintTrainee"),
)


def test_a_new_family_is_one_record_in_the_list_and_opens_by_name_and_by_class_everywhere(
    monkeypatch, tmp_path, profile, cases
):
    monkeypatch.setattr(families, "FAMILIES", [*families.FAMILIES, TINT])
    for module in ("open_editor", "train"):
        monkeypatch.setattr(f"editfoundry.editors.{module}.FAMILIES", families.FAMILIES)
    (tmp_path / "blue").mkdir()
    (tmp_path / "blue" / "model_index.json").write_text(json.dumps({"_class_name": "TintPipeline"}))
    (tmp_path / "blue" / "colour").write_text("blue")
    black = request(Image.new("RGB", (4, 4)))
    for name, options, pixel in (("redden", {}, (128, 0, 0)), (tmp_path / "blue", {"strength": 1.0}, (0, 0, 255))):
        [made] = open_editor(str(name), RUNTIME, **options).edit([black])
        assert np.abs(np.subtract(made.require().getpixel((0, 0)), pixel)).max() <= 1
    names = ["redden", str(tmp_path / "blue"), "input"]
    options = EditorOptions(given={"strength": 0.25})
    contestants = contestants_by_name(names, profile, RUNTIME, options)
    assert [(c.name, c.settings) for c in contestants] == [
        ("redden", {"strength": 0.25}),
        ("blue", {"strength": 0.25}),
        ("input", {}),
    ]
    assert all(edit.failure is None for edit in contestants[1].open().edit([request_of(case) for case in cases]))
    trained = training_config({"family": "tint", "output": "out", "num_steps": 2})
    assert type(trained) is LoopConfig
    with pytest.raises(BadInputError, match="family is 'sdedit', but must be one of .*instruct_pix2pix, .*tint"):
        training_config({"family": "sdedit"})
