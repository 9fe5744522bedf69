"""Each line beside the main one, from its data to its report, as `editfoundry lineage run` makes it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from tiny_models import tiny_triplets
from typer.testing import CliRunner

from editfoundry.cli import app
from editfoundry.data.record import Caption
from editfoundry.data.shards import write_triplets
from editfoundry.data.tables import write_rows
from editfoundry.editors.open_editor import open_editor
from editfoundry.lineage.params import load_params
from editfoundry.lineage.stages import LINES, Paths, run_stage, stages_of
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.profiles import load_profile

pytestmark = pytest.mark.slow

TRAINED = {"num_steps": 2, "batch_size": 2, "num_warmup_steps": 0}
PAINTED = {"num_inference_steps": 2}
PARAMS = {
    "profile": "embedded",
    "device": "cpu",
    "instruct_pix2pix_pairs": {"num_candidates": 2, "caption_contrast": None, **PAINTED},
    "instruct_pix2pix": TRAINED,
    "instruct_pix2pix_report": {"num_plain_cases": 2, "num_trade_off_cases": 0, **PAINTED},
    "emu_edit_pairs": {"tasks": ["color", "text"], "caption_contrast": None, **PAINTED},
    "emu_edit": TRAINED,
    "emu_edit_report": {"num_task_cases": 2, **PAINTED},
    "mgie": TRAINED,
    "mgie_report": {"num_world_cases": 1, "num_ambiguous_cases": 1, "num_plain_cases": 1, **PAINTED},
    "captioned_pictures": {"num_pictures": 8},
    "imagen_editor": TRAINED,
    "imagen_editor_report": {"num_prompts": 3, **PAINTED},
}
OPEN = dict.fromkeys(("clip_input", "clip_output", "clip_image", "clip_direction"), -1.0)


@pytest.mark.parametrize("line", LINES[1:])
def test_a_line_goes_from_its_data_to_its_report_and_is_not_made_again(tmp_path: Path, monkeypatch, line: str) -> None:
    monkeypatch.chdir(tmp_path)
    params = {**PARAMS}
    for section in ("instruct_pix2pix_pairs", "emu_edit_pairs"):
        params[section] = {**PARAMS[section], "thresholds": OPEN}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    captions = [
        Caption(caption=f"a {thing} on the right on a beach at sunset", url=f"https://a.invalid/{thing}")
        for thing in ("red balloon", "blue cup", "full glass", "black cat")
    ]
    write_rows(Paths(tmp_path).captions / "00000.parquet", captions, Caption)
    told = [replace(triplet, output_caption=f"a thing {n}") for n, triplet in enumerate(tiny_triplets(4))]
    write_triplets(Paths(tmp_path).dataset / "train" / "00000.tar", told)
    stages = stages_of(line)
    done = CliRunner().invoke(app, ["lineage", "run", *(stage.name for stage in stages)])
    assert done.exit_code == 0, done.output
    *_, checkpoint, report = stages
    editor = open_editor(str(checkpoint.folder(tmp_path)), choose_runtime("cpu"), load_profile("embedded"))
    assert editor.source.family.name == ("inpainting" if line == "imagen_editor" else line)
    summary = json.loads((report.folder(tmp_path) / "summary.json").read_text())
    assert all({"base", "fine_tuned"} <= set(found) for found in summary["benchmarks"].values())
    files = [path for stage in stages for path in stage.folder(tmp_path).rglob("*") if path.is_file()]
    times = {path: path.stat().st_mtime_ns for path in files}
    for stage in stages:
        run_stage(stage.name, load_params(Path("params.yaml")), tmp_path)
    assert {path: path.stat().st_mtime_ns for path in files} == times
