import importlib
import inspect
import shlex
from pathlib import Path

import dagster as dg
import pytest
import yaml
from typer.testing import CliRunner

from dagster_project.definitions import defs as load_defs
from editfoundry.cli import app
from editfoundry.data.record import Quadruple
from editfoundry.data.stage_result import StageResult
from editfoundry.data.tables import write_rows
from editfoundry.lineage.dvc_file import dvc_file, dvc_text, ensure_line
from editfoundry.lineage.params import load_params
from editfoundry.lineage.stages import LINES, STAGES, Paths, run_stage, stages_of

ROOT = Path(__file__).resolve().parents[2]
ONLY_IN_DAGSTER = {"source_shards", "champion_gate", "claims_report"}
"""Parts of the stages' outputs, aliases in a registry, and a report that is no stage of the lineage."""
WORK = [
    "editfoundry.tinyworld.captions.write_laion_table", "editfoundry.sources.laion.convert_laion",
    "editfoundry.sources.incoming.take_in", "editfoundry.synthesis.quadruples.model_stage.write_model_quadruples",
    "editfoundry.synthesis.editworld_text.stage.synthesize", "editfoundry.tinyworld.clips.writing.write_clips",
    "editfoundry.sources.internvid.convert_internvid", "editfoundry.synthesis.frame_pairs.stage.mine_frame_pairs",
    "editfoundry.synthesis.editworld_video.stage.synthesize_video", "editfoundry.synthesis.rehearsal.stage.rehearse",
    "editfoundry.curation.curate.curate", "editfoundry.synthesis.instruct_pix2pix.stage.synthesize_pairs",
    "editfoundry.synthesis.emu_edit.stage.synthesize_emu_pairs", "editfoundry.synthesis.expressive.stage.express",
    "editfoundry.tinyworld.captioned_scenes.write_captioned_scenes",
    "editfoundry.editors.train.launch_training", "editfoundry.evaluation.lineage_report.evaluate_checkpoint",
]  # fmt: skip
"""What commands and stages call to have the work done."""


@pytest.fixture(scope="module")
def stages():
    """Every line's stages, as DVC's files have them."""
    return {name: stage for line in LINES for name, stage in yaml.safe_load(dvc_text(line))["stages"].items()}


@pytest.fixture(scope="module")
def graph():
    return load_defs().get_repository_def().asset_graph


def outputs(stage):
    return [path for out in stage["outs"] for path in out]


def test_the_file_is_what_the_records_say():
    """Mend it with `editfoundry lineage write-dvc`."""
    assert (ROOT / "dvc.yaml").read_text() == dvc_text()


def test_dvc_and_dagster_name_the_same_stages(stages, graph):
    assert list(stages) == [stage.name for stage in STAGES]
    assert set(stages) == {key.to_user_string() for key in graph.get_all_asset_keys()} - ONLY_IN_DAGSTER


def test_a_line_of_its_own_has_a_file_of_its_own_that_works_in_the_projects_folder(tmp_path):
    """A project has it when the line is wanted, for `dvc pull` and `dvc status` would miss its outputs else."""
    assert len(LINES) > 1
    for line in LINES[1:]:
        assert not (ROOT / dvc_file(line)).exists()
        ensure_line(tmp_path, line)
        file = tmp_path / dvc_file(line)
        written = yaml.safe_load(file.read_text())["stages"]
        assert list(written) == [stage.name for stage in stages_of(line)]
        assert {(file.parent / stage["wdir"]).resolve() for stage in written.values()} == {tmp_path.resolve()}
        file.write_text("stages: {}\n")
        ensure_line(tmp_path, line)
        assert file.read_text() == "stages: {}\n"
    assert not (tmp_path / "dvc.yaml").exists()


def test_dvc_and_dagster_agree_on_what_needs_what(stages, graph):
    maker = {path: name for name, stage in stages.items() for path in outputs(stage)}
    for name, stage in stages.items():
        parents = {maker[path] for path in stage.get("deps", []) if path in maker}
        assert parents == {key.to_user_string() for key in graph.get(dg.AssetKey(name)).parent_keys}, name


def test_every_stage_writes_the_folder_the_lineage_gives_it(stages):
    paths = Paths(Path("."))
    for name, stage in stages.items():
        assert outputs(stage)[0] == getattr(paths, name).as_posix(), name


def test_every_stage_tracks_parameters_that_params_yaml_has(stages):
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    for name, stage in stages.items():
        assert stage["params"] and all(section.split(".")[0] in params for section in stage["params"]), name


@pytest.mark.parametrize("name", [stage.name for stage in STAGES])
def test_a_stage_of_dvc_has_the_same_work_done_as_the_asset(stages, name, tmp_path, monkeypatch):
    """Dagster's assets call the records' functions; DVC's commands must come down to the same calls."""
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    (tmp_path / "data" / "dataset").mkdir(parents=True)
    (tmp_path / "data" / "captions").mkdir(parents=True)
    write_rows(tmp_path / "data" / "quadruples" / "00000.parquet", [], Quadruple)
    monkeypatch.chdir(tmp_path)
    calls = []
    for place in WORK:
        record(monkeypatch, place, calls)
    run_stage(name, load_params(Path("params.yaml")), tmp_path)
    by_asset = list(calls)
    calls.clear()
    commands = stages[name]["cmd"]
    for command in [commands] if isinstance(commands, str) else commands:
        program, *arguments = shlex.split(command)
        assert program == "editfoundry"
        CliRunner().invoke(app, arguments)
    assert by_asset and calls == by_asset


def absolute(value):
    if isinstance(value, list | tuple):
        return [absolute(part) for part in value]
    return value.resolve() if isinstance(value, Path) else value


def record(monkeypatch, place, calls):
    """Put in the place of a function one that notes its arguments, with paths made absolute and no progress."""
    module_name, _, name = place.rpartition(".")
    module = importlib.import_module(module_name)
    signature = inspect.signature(getattr(module, name))

    def noted(*args, **kwargs):
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        given = {key: value for key, value in bound.arguments.items() if key != "progress"}
        calls.append((place, {name: absolute(value) for name, value in given.items()}))
        # An evaluation returns whether there was anything to do.
        return False if name == "evaluate_checkpoint" else StageResult(num_in=0, num_out=0)

    monkeypatch.setattr(module, name, noted)
