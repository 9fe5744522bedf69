import errno
import importlib.metadata
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from typer.main import get_command

from editfoundry.cli.app import PANELS, app
from editfoundry.data.record import Triplet
from editfoundry.data.shards import write_triplets
from editfoundry.data.stage_result import StageResult

SRC = Path(__file__).parents[3] / "src"
HEAVY = ["torch", "diffusers", "transformers", "dagster", "mlflow", "datasets", "pandas"]


def all_commands(group, path=()):
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from all_commands(command, (*path, name))
        else:
            yield [*path, name]


def run(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    command = [sys.executable, "-m", "editfoundry", *map(str, arguments)]
    env = {**os.environ, "PYTHONPATH": str(SRC), "COLUMNS": "200", "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)


def write_table(path: Path, **columns: list[object]) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


@pytest.mark.parametrize("command", all_commands(get_command(app)), ids=" ".join)
def test_the_help_of_every_command_has_an_example_of_it(invoke, command):
    status, out, _ = invoke(*command, "--help")
    assert status == 0
    assert f"Example: editfoundry {' '.join(command)}" in " ".join(out.split())


def test_starting_up_imports_no_heavy_package(tmp_path):
    program = (
        "import sys; sys.argv = ['editfoundry', '--help']\n"
        "from editfoundry.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "import editfoundry.synthesis.quadruples, editfoundry.curation.score_filters\n"
        f"print('heavy:', [name for name in {HEAVY} if name in sys.modules])"
    )
    env = {**os.environ, "PYTHONPATH": str(SRC)}
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.stdout.strip().endswith("heavy: []"), done.stdout + done.stderr


def test_bad_input_ends_with_2_and_one_line(tmp_path):
    done = run("quadruples", "gone.json", "out", cwd=tmp_path)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr == "error: gone.json: no such file or folder\n"


def test_captions_become_quadruples_and_json_is_parseable(invoke):
    assert invoke("tinyworld", "captions", "--out", "captions.parquet", "--num-rows", 40)[0] == 0
    for command in (["sources", "laion", "captions.parquet", "captions"], ["quadruples", "captions", "quadruples"]):
        status, out, err = invoke(*command, "--json")
        facts = json.loads(out)
        # A slow machine is told how far it is.
        told = [line for line in err.splitlines() if not line.startswith("records: ")]
        assert (status, told) == (0, [])
        assert facts["num_in"] == facts["num_out"] + sum(facts["rejected"].values())


def test_without_json_the_counts_are_lines_for_people(invoke):
    invoke("tinyworld", "captions", "--out", "captions.parquet", "--num-rows", 40)
    status, out, _ = invoke("sources", "laion", "captions.parquet", "captions")
    assert status == 0 and "num in: 40" in out


BAD_CALLS = {
    "no caption column": (["sources", "laion", "wrong.parquet", "out"], "wrong.parquet: no caption column"),
    "no rows": (["sources", "laion", "empty.parquet", "out"], "empty.parquet: has no rows"),
    "truncated picture": (["edit", "cut.png", "melt it", "--out", "out.png"], "cut.png: truncated"),
    "cut tar": (["curate", "triplets", "out"], "00000.tar"),
    "no shards": (["curate", "other", "out"], "other: holds no triplet shard"),
    "other content": (["sources", "laion", "good.parquet", "other"], "other: exists with other content"),
    "unknown profile": (["edit", "good.png", "melt it", "--out", "out.png", "--profile", "x"], "no profile 'x'"),
    "empty box": (["inpaint", "good.png", "a cup", "--out", "out.png", "--box", ""], "--box is empty: say where to"),
    "blank what": (
        ["inpaint", "good.png", "a cup", "--out", "out.png", "--what", " "],
        "--what is empty: say where to",
    ),
    "unknown benchmark": (["evaluate", "--editor", "x", "--out", "out", "--benchmark", "x"], "no benchmark 'x'"),
    "unknown parameter": (["curate", "triplets", "out", "--params", "bad.yaml"], "unknown parameter nothing"),
    "malformed yaml": (["train", "other/thesis.txt"], "cannot be read as YAML"),
}


@pytest.mark.parametrize("case", BAD_CALLS)
def test_bad_input_is_named_in_one_line_and_writes_nothing(invoke, tmp_path, case):
    write_table(tmp_path / "wrong.parquet", URL=["https://example.com/a.png"])
    write_table(tmp_path / "empty.parquet", TEXT=pa.array([], pa.string()))
    write_table(tmp_path / "good.parquet", TEXT=["a cat"], punsafe=[0.0], pwatermark=[0.0])
    (tmp_path / "bad.yaml").write_text("nothing: 1")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("a: [")
    picture = Image.effect_noise((64, 64), 90).convert("RGB")
    picture.save(tmp_path / "good.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "good.png").read_bytes()[:900])
    scores = {"clip_input": 1.0, "clip_output": 1.0, "clip_image": 1.0, "clip_direction": 1.0}
    triplet = Triplet(instruction="melt it", input_image=picture, output_image=picture, scores=scores)
    write_triplets(tmp_path / "triplets" / "00000.tar", [triplet])
    tar = tmp_path / "triplets" / "00000.tar"
    tar.write_bytes(tar.read_bytes()[: tar.stat().st_size // 2])
    arguments, message = BAD_CALLS[case]
    status, out, err = invoke(*arguments)
    assert (status, out) == (2, "")
    assert err.startswith("error: ") and message in err and err.count("\n") == 1
    assert not (tmp_path / "out").exists() and not (tmp_path / "out.png").exists()


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["curate"], ["edit", "a.png", "x", "--out", "b.png", "--seed", "x"]]
)
def test_wrong_usage_ends_with_2(invoke, arguments):
    status, _, err = invoke(*arguments)
    assert status == 2 and "Usage" in err


def test_every_first_word_stands_in_a_panel():
    group = get_command(app)
    assert {name: command.rich_help_panel for name, command in group.commands.items()} == {
        name: panel for panel, names in PANELS.items() for name in names if name in group.commands
    }


def test_help_lists_the_commands_in_the_order_in_which_a_person_uses_them(invoke):
    status, out, _ = invoke("-h")
    assert status == 0
    # The first column of the panels' tables.
    listed = [line.split()[1] for line in out.splitlines() if line.startswith("│ ") and line[2].isalpha()]
    assert listed == list(get_command(app).commands)
    titles = re.findall(r"╭─ ([\w ]+) ─", out)
    assert titles == ["Options", *PANELS]


@pytest.mark.parametrize("command", [["curate"], ["synthesize", "editworld-text"], ["tinyworld", "gallery"]])
def test_h_is_help_everywhere(invoke, command):
    assert invoke(*command, "-h") == invoke(*command, "--help")


def test_the_version_is_that_of_the_package(invoke):
    assert invoke("--version") == (0, f"editfoundry {importlib.metadata.version('editfoundry')}\n", "")


def test_ctrl_c_ends_a_command_with_one_line(invoke, monkeypatch):
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("editfoundry.curation.curate.curate", stopped)
    status, out, err = invoke("curate", "in", "out")
    assert (status, out) == (130, "")
    assert err == "interrupted: what is finished is kept, and the same command goes on from there\n"


def test_ctrl_c_in_the_demo_names_the_stage(invoke, monkeypatch, tmp_path):
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    (tmp_path / "params.yaml").write_text("editworld: {num_steps: 3}")
    monkeypatch.setattr("editfoundry.sources.laion.convert_laion", stopped)
    status, _, err = invoke("demo")
    assert status == 130
    assert err.splitlines() == [
        "[1/10] captions: cleaning a LAION-schema table: interrupted",
        "interrupted: what is finished is kept, and the same command goes on from there",
    ]


@pytest.mark.parametrize("command", [["demo"], ["train", "params.yaml"]], ids=" ".join)
def test_a_wrong_parameter_of_training_is_told_before_anything_runs(invoke, tmp_path, command):
    (tmp_path / "params.yaml").write_text("editworld: {num_steps: 3, learning_rat: 1}")
    status, out, err = invoke(*command)
    assert (status, out) == (2, "")
    assert err.startswith("error: params.yaml: section editworld: unknown setting 'learning_rat'")
    assert err.count("\n") == 1 and [path.name for path in tmp_path.iterdir()] == ["params.yaml"]


@pytest.mark.slow
def test_what_ends_training_is_printed_once(tmp_path):
    """The trainer is a process of its own, and the command tells what it met."""
    (tmp_path / "train.yaml").write_text("editor: package:nowhere\ndataset: gone\noutput: out\nnum_steps: 1\n")
    ended = run("train", "train.yaml", cwd=tmp_path)
    last = ended.stderr.splitlines()[-1]
    assert ended.returncode == 2 and last.startswith("error: ")
    assert ended.stderr.count(last.removeprefix("error: ")) == 1


def test_dvc_yaml_is_written_from_the_records_and_checked(invoke, tmp_path):
    assert invoke("lineage", "write-dvc", "--check")[0] == 1
    assert invoke("lineage", "write-dvc") == (0, "file: dvc.yaml\nstages: 10\n", "")
    assert (tmp_path / "dvc.yaml").read_text() == (SRC.parent / "dvc.yaml").read_text()
    assert invoke("lineage", "write-dvc", "--check", "--json") == (0, '{"file": "dvc.yaml", "current": true}\n', "")


def test_a_line_of_its_own_gets_dvcs_file_when_it_is_asked_for(invoke, tmp_path):
    file = "lines/instruct_pix2pix/dvc.yaml"
    asked = ("lineage", "write-dvc", "--line", "instruct_pix2pix")
    assert invoke(*asked, "--check")[0] == 1 and not (tmp_path / "lines").exists()
    assert invoke(*asked) == (0, f"file: {file}\nstages: 3\n", "")
    assert invoke(*asked, "--check")[0] == 0
    code, _, err = invoke("lineage", "write-dvc", "--line", "nowhere")
    assert code == 2 and "no line 'nowhere'; beside the main one there are instruct_pix2pix" in err
    code, _, err = invoke(*asked, "other.yaml")
    assert code == 2 and f"lies at {file}" in err and not (tmp_path / "other.yaml").exists()


def test_a_recipe_s_command_works_on_one_shard_alone(invoke, monkeypatch):
    asked = []

    def noted(source, output, config, profile, device, progress, only, replace):
        asked.append((source, output, only, replace))
        return StageResult(num_in=0, num_out=0)

    monkeypatch.setattr("editfoundry.synthesis.editworld_video.stage.synthesize_video", noted)
    status, *_ = invoke("synthesize", "editworld-video", "pairs", "triplets", "--only", "00003")
    assert status == 0
    assert asked == [(Path("pairs"), Path("triplets"), "00003", False)]


def test_what_was_made_of_another_input_goes_only_when_asked_to(invoke, tmp_path):
    for name, caption in (("first", "a full glass on a beach at sunset"), ("second", "a snowman on grass at noon")):
        write_table(tmp_path / f"{name}.parquet", TEXT=[caption], punsafe=[0.0], pwatermark=[0.0])
    assert invoke("sources", "laion", "first.parquet", "captions")[0] == 0
    before = (tmp_path / "captions" / "00000.parquet").read_bytes()
    status, _, err = invoke("sources", "laion", "second.parquet", "captions")
    assert status == 2 and "--replace" in err and err.count("\n") == 1
    assert (tmp_path / "captions" / "00000.parquet").read_bytes() == before
    assert invoke("sources", "laion", "second.parquet", "captions", "--replace")[0] == 0
    assert (tmp_path / "captions" / "00000.parquet").read_bytes() != before


def test_a_fault_of_ours_ends_with_1_and_its_traceback(invoke, monkeypatch):
    def broken(*_: object) -> None:
        raise RuntimeError("the disc fell out")

    monkeypatch.setattr("editfoundry.curation.curate.curate", broken)
    status, _, err = invoke("curate", "in", "out")
    assert status == 1 and "Traceback" in err and err.endswith("error: the disc fell out\n")


def test_a_full_disk_ends_with_1_and_one_line_whoever_wrote(invoke, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "/cache/of/a/library")

    monkeypatch.setattr("editfoundry.curation.curate.curate", full)
    status, _, err = invoke("curate", "in", "out")
    assert status == 1 and err.count("\n") == 1
    assert "'/cache/of/a/library'; the disk is full: make room, then run the same command again" in err


@pytest.mark.parametrize("seed", [-1, 2**32])
@pytest.mark.parametrize(
    "arguments",
    [
        ("evaluate", "--editor", "input", "--out", "out"),
        ("report", "run"),
        ("compare", "run", "run"),
        ("trade-off", "--editor", "base", "--benchmark", "tinyworld-world", "--out", "out"),
        ("ratings", "sheet", "run", "sheet.html"),
        ("ratings", "aggregate", "a.json", "--key", "sheet.key.json", "--out", "out"),
        ("instructions", "train", "rows.jsonl", "model"),
    ],
    ids=lambda arguments: " ".join(arguments[:2]),
)
def test_a_seed_out_of_range_is_refused_before_any_work(invoke, arguments, seed):
    code, _, told = invoke(*arguments, "--seed", seed)
    assert code == 2 and "Input should be" in told and "Traceback" not in told


def test_a_comparison_does_not_replace_a_report_that_it_compares(invoke, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "report.html").write_text("report")
    code, _, told = invoke("compare", "run", "other", "--out", "run/report.html")
    assert code == 2 and told == "error: run/report.html: is the input too; give another path\n"
