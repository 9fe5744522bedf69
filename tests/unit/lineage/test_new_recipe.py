"""A recipe is one folder under ``synthesis`` and its entry in `lineage.stages`; everything else follows."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from extending_page import example_files

REPOSITORY = Path(__file__).parents[3]
FILES = example_files("A recipe")
IMPORT = "from editfoundry.synthesis.quadruples.recipe import QUADRUPLES\n"
ENTRY = "FRAME_PAIRS, EDITWORLD_VIDEO, REHEARSAL)"
DERIVED = """
import json
from pathlib import Path

import dagster as dg

from dagster_project.definitions import defs
from editfoundry.lineage.dvc_file import dvc_text
from editfoundry.lineage.params import Params
from editfoundry.lineage.stages import BRANCHES, Paths, stage_request

graph = defs().get_repository_def().asset_graph
node = graph.get(dg.AssetKey("tints"))
print(json.dumps({
    "path": Paths(Path("/project")).tints.as_posix(),
    "image_size": Params().tints.image_size,
    "branch": BRANCHES["tints"],
    "inputs_of_the_data_set": [path.name for path in stage_request("dataset", Params(), Path(".")).sources],
    "dvc": dvc_text(),
    "asset": [node.group_name, node.description, sorted(key.to_user_string() for key in node.parent_keys)],
    "parents_of_the_data_set": sorted(k.to_user_string() for k in graph.get(dg.AssetKey("dataset")).parent_keys),
    "checks": sorted(key.name for key in node.check_keys),
    "retraining": "tints" in {
        key.to_user_string()
        for key in defs().get_repository_def().get_job("retraining").asset_layer.executable_asset_keys
    },
}))
"""


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """The sources with the recipe's folder beside the others, and its entry in the list."""
    root = tmp_path_factory.mktemp("tree")
    package = root / "src" / "editfoundry"
    shutil.copytree(
        REPOSITORY / "src" / "editfoundry", package, ignore=shutil.ignore_patterns("embedded", "__pycache__")
    )
    (package / "embedded").symlink_to(REPOSITORY / "src" / "editfoundry" / "embedded")
    shutil.copytree(REPOSITORY / "dagster_project", root / "dagster_project")
    shutil.copyfile(REPOSITORY / "pyproject.toml", root / "pyproject.toml")
    (package / "synthesis" / "tints").mkdir()
    (package / "synthesis" / "tints" / "__init__.py").touch()
    for name, text in FILES.items():
        (package / name).write_text(text)
    stages = package / "lineage" / "stages.py"
    text = stages.read_text()
    assert text.count(IMPORT) == text.count(ENTRY) == 1
    text = text.replace(IMPORT, f"{IMPORT}from editfoundry.synthesis.tints.recipe import TINTS\n")
    stages.write_text(text.replace(ENTRY, "FRAME_PAIRS, EDITWORLD_VIDEO, REHEARSAL, TINTS)"))
    return root


def run(tree, cwd, *arguments):
    env = {**os.environ, "PYTHONPATH": f"{tree / 'src'}:{tree}", "COLUMNS": "200"}
    done = subprocess.run([sys.executable, *arguments], cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_folder_section_branch_data_set_dvc_and_dagster_know_it(tree):
    found = json.loads(run(tree, tree, "-c", DERIVED).splitlines()[-1])
    assert found["path"] == "/project/data/triplets/tints"
    assert found["image_size"] == 8 and found["branch"] == "tint"
    assert found["inputs_of_the_data_set"] == ["editworld-text", "editworld-video", "rehearsal", "tints"]
    stages = yaml.safe_load(found["dvc"])["stages"]
    assert stages["tints"] == {
        "cmd": "editfoundry synthesize tints data/quadruples data/triplets/tints",
        "deps": ["data/quadruples"],
        "params": ["profile", "tints"],
        "outs": [{"data/triplets/tints": {"cache": True, "persist": True}}],
    }
    assert "data/triplets/tints" in stages["dataset"]["deps"] and "data/triplets/tints" in stages["dataset"]["cmd"]
    assert found["asset"] == ["triplets", "Red and green pictures.", ["quadruples"]]
    assert "tints" in found["parents_of_the_data_set"] and found["retraining"]
    assert found["checks"] == ["tints_add_up", "tints_has_its_images"]


def test_its_command_makes_its_triplets_with_its_parameters(tree, tmp_path):
    (tmp_path / "params.yaml").write_text("tints: {image_size: 16}\n")
    quadruple = {"input_caption": "an egg", "instruction": "Break it.", "output_caption": "a broken egg"}
    (tmp_path / "listed.json").write_text(json.dumps([{**quadruple, "keywords": ["egg"], "category": "Long-Term"}]))
    command = ("-m", "editfoundry")
    run(tree, tmp_path, *command, "quadruples", "listed.json", "quadruples")
    made = json.loads(run(tree, tmp_path, *command, "synthesize", "tints", "quadruples", "triplets", "--json"))
    assert (made["num_in"], made["num_out"]) == (1, 1)
    help_text = run(tree, tmp_path, *command, "synthesize", "tints", "--help")
    assert "Example: editfoundry synthesize tints data/quadruples data/triplets/tints" in " ".join(help_text.split())
    size = run(
        tree,
        tmp_path,
        "-c",
        "from editfoundry.data.shards import read_triplets; from pathlib import Path\n"
        "print([t.input_image.size for t in read_triplets(Path('triplets/00000.tar'))])",
    )
    assert size == "[(16, 16)]\n"
