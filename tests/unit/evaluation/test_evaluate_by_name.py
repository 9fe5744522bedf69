"""``editfoundry evaluate``: editors by name on a drawn benchmark and on a folder."""

import json
import shutil
import sys

import numpy as np
import pytest
from function_editors import request
from html_outline import check_self_contained
from tiny_models import tiny_image, tiny_pipeline, write_dataset
from tiny_painter import tiny_clip

from editfoundry.editors.families.instruct_pix2pix.sampling import edit_images
from editfoundry.editors.open_editor import find_editor
from editfoundry.errors import BadInputError
from editfoundry.evaluation.contestants_by_name import EditorOptions, contestants_by_name
from editfoundry.evaluation.edit_folder import open_edit_folder
from editfoundry.execution.output_lock import output_lock
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.profiles import load_profile

CPU = choose_runtime("cpu")


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    tiny_pipeline().save_pretrained(folder / "editor")
    for part in tiny_clip():
        part.save_pretrained(folder / "clip")
    roles = {"clip": "clip", "editor_base": "editor"}
    (folder / "tiny.toml").write_text("".join(f'[{r}]\nmodel = "{folder / name}"\n' for r, name in roles.items()))
    return folder


@pytest.fixture
def invoke(monkeypatch, tmp_path, capsys):
    from editfoundry.cli import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["editfoundry", "evaluate", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return call


def magicbrush(folder):
    pictures = folder / "images" / "7"
    pictures.mkdir(parents=True)
    for n, name in enumerate(("input", "output1", "output2")):
        tiny_image(n, (40, 32)).save(pictures / f"7-{name}.png")
    turns = [
        {"input": "7-input.png", "output": "7-output1.png", "instruction": "a dog"},
        {"input": "7-output1.png", "output": "7-output2.png", "instruction": "a cat"},
    ]
    (folder / "edit_sessions.json").write_text(json.dumps({"7": turns}))
    return folder


def test_a_checkpoint_and_the_bounds_on_tinyworld_write_metrics_and_reports(models, invoke, tmp_path):
    status, out, err = invoke(
        "--editor",
        models / "editor",
        "--editor",
        "input",
        "--editor",
        "best=truth",
        "--benchmark",
        "tinyworld-world",
        "--num-items",
        3,
        "--num-inference-steps",
        2,
        "--profile",
        models / "tiny.toml",
        "--out",
        "run",
    )
    assert status == 0, err
    assert "not measured: profile 'tiny' names no model for the role 'dino'" in out and "report: run/report.html" in out
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert list(metrics["editors"]) == ["editor", "input", "best"]
    assert metrics["editors"]["editor"]["settings"]["num_inference_steps"] == 2
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["best"]["overall"]["right"]["value"] == 1.0
    assert summary["input"]["overall"]["right"]["value"] == 0.0
    assert summary["input"]["overall"]["preservation_psnr"]["num_infinite"] == 3
    assert (tmp_path / "run" / "report.html").stat().st_size > 1000


def test_a_benchmark_in_a_folder_is_run_turn_by_turn(models, invoke, tmp_path):
    folder = magicbrush(tmp_path / "mb")
    status, out, err = invoke(
        "--editor",
        models / "editor",
        "--editor",
        "input",
        "--benchmark",
        "magicbrush-multi-turn",
        "--benchmark-folder",
        folder,
        "--num-inference-steps",
        1,
        "--profile",
        models / "tiny.toml",
        "--out",
        "run",
        "--dataset",
        write_dataset(tmp_path / "data"),
        "--json",
    )
    assert status == 0, err
    assert json.loads(out)["summary"]["num_items"] == 2
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["benchmark"]["facts"]["leaks"]["num_leaks"] == 0
    rows = metrics["items"]
    assert [(row["editor"], row["id"], row["failure"]) for row in rows] == [
        ("editor", "7-1", None),
        ("editor", "7-2", None),
        ("input", "7-1", None),
        ("input", "7-2", None),
    ]
    expected = np.abs(np.asarray(tiny_image(0, (40, 32)), float) - np.asarray(tiny_image(2, (40, 32)), float)).mean()
    assert rows[3]["scores"]["l1"] == pytest.approx(expected / 255, abs=1e-6)


def test_an_instruct_pix2pix_is_sampled_in_batches_as_edit_images_does(models):
    options = EditorOptions(given={"num_inference_steps": 2, "guidance_scale": 3.0})
    [contestant] = contestants_by_name([str(models / "editor")], load_profile(models / "tiny.toml"), CPU, options)
    assert contestant.settings == {"num_inference_steps": 2, "guidance_scale": 3.0}
    images = [tiny_image(n) for n in range(2)]
    requests = [request(image, text, seed) for image, text, seed in zip(images, "ab", (1, 2), strict=True)]
    made = [edit.require() for edit in contestant.open().edit(requests)]
    expected = edit_images(tiny_pipeline(), images, ["a", "b"], seeds=[1, 2], **contestant.settings)
    for ours, theirs in zip(made, expected, strict=True):
        assert (np.asarray(ours) == np.asarray(theirs)).all()


def test_editors_of_the_same_models_do_not_take_each_others_edits(tmp_path):
    options = EditorOptions(given={"guidance_scale": 2.0})
    sdedit, inverted = contestants_by_name(["sdedit", "prompt-to-prompt"], load_profile("embedded"), CPU, options)
    assert sdedit.settings == inverted.settings and sdedit.identity != inverted.identity
    # What is kept is told by the editor, not by the name of its folder.
    digests = {open_edit_folder(tmp_path / "edits", one, "some", seed=0).digest for one in (sdedit, inverted)}
    assert len(digests) == 2


def test_a_checkpoint_with_another_setting_of_a_part_is_another_editor(models, tmp_path):
    folder = shutil.copytree(models / "editor", tmp_path / "editor")
    before = find_editor(str(folder)).identity
    (folder / "card.json").write_text("{}")
    assert find_editor(str(folder)).identity == before
    settings = json.loads((folder / "scheduler" / "scheduler_config.json").read_text())
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps({**settings, "beta_end": 0.02}))
    assert find_editor(str(folder)).identity != before


def test_names_are_told_apart_and_options_go_to_the_editors_that_have_them(models):
    profile = load_profile(models / "tiny.toml")
    options = EditorOptions(given={"image_guidance_scale": 2.0}, defaults={"guidance_scale": 4.0})
    names = [str(models / "editor"), str(models / "editor"), "base", "low=input"]
    found = contestants_by_name(names, profile, CPU, options)
    assert [c.name for c in found] == ["editor", "editor-2", "base", "low"]
    assert [dict(c.settings) for c in found[2:]] == [{"guidance_scale": 4.0, "image_guidance_scale": 2.0}, {}]
    assert found[0].identity == found[1].identity != found[2].identity
    with pytest.raises(BadInputError, match="no editor here has the option image-guidance-scale"):
        contestants_by_name(["input"], profile, CPU, options)
    with pytest.raises(BadInputError, match="nowhere: no editor here"):
        contestants_by_name(["nowhere"], profile, CPU)


def test_a_name_that_a_person_gave_stays_and_is_given_once(models):
    profile = load_profile(models / "tiny.toml")
    names = ["a=base", "a-kept=input", str(models / "editor"), "editor=truth"]
    found = contestants_by_name(names, profile, CPU, EditorOptions(keep_below=0.03))
    assert [c.name for c in found[:3]] == ["a", "a-kept-2", "a-kept"]
    assert [c.name for c in found[4::2]] == ["editor-2", "editor"]
    with pytest.raises(BadInputError, match="two editors are labelled 'a': give each a label of its own"):
        contestants_by_name(["a=input", "a=base"], profile, CPU)


def test_any_option_of_an_editor_can_be_given(models, invoke, tmp_path):
    folder = magicbrush(tmp_path / "magicbrush")
    common = ["--editor", models / "editor", "--benchmark", "magicbrush", "--benchmark-folder", folder, "--out", "run"]
    steps = ["--option", "num-inference-steps=1", "--option", "guidance_rescale=0.5"]
    status, _, err = invoke(*common, *steps, "--profile", models / "tiny.toml")
    assert status == 0, err
    settings = json.loads((tmp_path / "run" / "metrics.json").read_text())["editors"]["editor"]["settings"]
    assert (settings["num_inference_steps"], settings["guidance_rescale"]) == (1, 0.5)
    for wrong, complaint in (("eta=1", "no editor here has the option eta"), ("eta", "must be NAME=VALUE")):
        status, _, err = invoke(*common, "--option", wrong, "--profile", models / "tiny.toml")
        assert status == 2 and complaint in err


def test_an_evaluation_that_somebody_is_at_work_on_is_one_line(models, invoke, tmp_path):
    folder = magicbrush(tmp_path / "magicbrush")
    drawn = ["--benchmark", "magicbrush", "--benchmark-folder", folder]
    for chosen in (drawn, ["--benchmark", "tinyworld"]):
        with output_lock(tmp_path / "run", "another"):
            status, _, err = invoke(
                "--editor", models / "editor", *chosen, "--out", "run", "--profile", models / "tiny.toml"
            )
        assert status == 1 and "run: another is at work on it" in err and "Traceback" not in err
    assert not (tmp_path / "run").exists()


def test_what_the_lineage_s_report_does_not_take_is_refused(invoke):
    for extra in (["--num-items", 3], ["--editor", "y"], ["--option", "eta=1"]):
        status, _, err = invoke("--editor", "x", *extra, "--out", "run")
        assert status == 2 and "use tinyworld-world" in err


def test_the_lineage_s_report_compares_the_editor_with_its_base_on_all_of_tinyworld(models, invoke, tmp_path):
    counts = {"num_world_cases": 2, "num_new_rule_cases": 1, "num_plain_cases": 1, "num_inference_steps": 1}
    params = {"profile": str(models / "tiny.toml"), "editworld_report": counts}
    (tmp_path / "params.yaml").write_text(json.dumps(params))
    status, out, err = invoke("--editor", models / "editor", "--benchmark", "tinyworld", "--out", "run", "--json")
    assert status == 0, err
    summary = json.loads(out)["summary"]
    assert list(summary["benchmarks"]) == ["tinyworld-world", "tinyworld-new-rules", "tinyworld-plain"]
    for found in summary["benchmarks"].values():
        assert found["base"]["overall"] == found["fine_tuned"]["overall"]
    assert summary == json.loads((tmp_path / "run" / "summary.json").read_text())
    page = check_self_contained((tmp_path / "run" / "report.html").read_text())
    assert "editfoundry evaluate --editor" in page.text and "tinyworld: rules that no training data shows" in page.text
    edits = tmp_path / ".cache" / "runs" / "run" / "tinyworld-world" / "edits"
    assert len(list((edits / "fine_tuned").glob("*.png"))) == 2
    assert [path.name for path in (tmp_path / "run").glob("*.png")] == ["grid.png"]
    status, out, err = invoke("--editor", models / "editor", "--benchmark", "tinyworld", "--out", "run")
    assert status == 0 and "tinyworld-world: 2 edits, base → fine-tuned" in out


def test_the_lineage_s_report_takes_what_is_shipped_by_its_name(models, invoke, tmp_path):
    counts = {"num_world_cases": 2, "num_new_rule_cases": 1, "num_plain_cases": 1, "num_inference_steps": 1}
    (tmp_path / "params.yaml").write_text(
        json.dumps({"profile": str(models / "tiny.toml"), "editworld_report": counts})
    )
    status, out, err = invoke("--editor", "package:editworld", "--out", "run", "--json")
    assert status == 0, err
    assert json.loads(out)["summary"]["benchmarks"]["tinyworld-world"]["fine_tuned"]["overall"]["right"]["n"] == 2
    status, _, err = invoke("--editor", "package:nothing", "--out", "other")
    assert status == 2 and "nothing: no editor here" in err


def test_keeping_pixels_puts_a_second_editor_beside_each_one(models):
    profile = load_profile(models / "tiny.toml")
    plain, kept = contestants_by_name([str(models / "editor")], profile, CPU, EditorOptions(keep_below=0.5))
    assert kept.name == f"{plain.name}-kept" and kept.settings == {**plain.settings, "keep_below": 0.5}
    picture = tiny_image(1)
    [changed], [same] = (one.open().edit([request(picture)]) for one in (plain, kept))
    # Half of all light is more than a random editor changes anywhere after a low-pass.
    assert changed.require().tobytes() != picture.tobytes()
    differ = (np.asarray(same.require()) != np.asarray(picture)).any(-1).mean()
    assert differ < (np.asarray(changed.require()) != np.asarray(picture)).any(-1).mean()
