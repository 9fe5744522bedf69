"""The rows of Emu Edit's claims on a random editor: what is compared, and what is made once."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tiny_emu_edit import save_editor, save_predictor
from tiny_painter import save_models

from editfoundry.claims import workbench
from editfoundry.claims.ledger import run_ledger
from editfoundry.claims.rows import task_inversion
from editfoundry.claims.rows.task_embedding import with_others_tasks
from editfoundry.claims.rows.turns import of_turn
from editfoundry.data.shards import read_triplets
from editfoundry.evaluation import benchmark_run, editing_pass
from editfoundry.evaluation.benchmarks.reading import read_benchmark
from editfoundry.lineage.claims_config import ClaimsConfig
from editfoundry.lineage.params import Params
from editfoundry.tinyworld.tasks.task_sampling import MADE_TASKS

TINY = ClaimsConfig(
    num_task_items=15, num_turn_items=8, num_inverted_items=3, num_task_training_triplets=14, num_task_training_steps=2,
    num_inversion_steps=2,
    num_multi_task_items=24, num_multi_task_triplets=15, num_multi_task_steps=15,
    training_batch_size=2, num_inference_steps=1,
)  # fmt: skip


@pytest.fixture(scope="module")
def params(tmp_path_factory: pytest.TempPathFactory) -> Params:
    folder = tmp_path_factory.mktemp("claims")
    profile = save_models(folder)
    predictor = save_predictor(folder / "predictor", "style")
    profile.write_text(f'{profile.read_text()}[task_predictor]\nmodel = "{predictor}"\n')
    return Params(profile=str(profile), device="cpu", claims=TINY)


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A random editor in the place of the shipped one."""
    vectors = torch.randn(16, 16, generator=torch.Generator().manual_seed(0))
    folder = save_editor(tmp_path / "emu", vectors)
    monkeypatch.setattr(workbench.Workbench, "emu_edit", lambda self: str(folder))
    return folder


def test_tasks_are_compared_with_none_and_predicted_ones_with_true_ones(
    params: Params, shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    edited: list[str] = []
    real = editing_pass.edit_benchmark
    monkeypatch.setattr(
        benchmark_run, "edit_benchmark", lambda *a, **k: (edited.append(a[0].settings["task"]), real(*a, **k))[1]
    )
    names = ["emu-task-embedding", "emu-predicted-task"]
    rows = run_ledger(tmp_path / "out", params, only=names, work_dir=tmp_path / "work")["rows"]
    assert [row["effect"]["n"] for row in rows] == [15, 15]
    # Fifteen edits of a random editor decide nothing; each arm and its control are made once for both rows.
    assert {row["verdict"] for row in rows} == {"undecided"}
    assert sorted(edited) == ["given"] * 3 + ["none"] * 2 + ["predicted"] * 2
    assert {control["n"] for row in rows for control in row["controls"]} == {15}
    assert len(rows[0]["details"]) == 1 + 15


def test_another_item_s_task_is_another_one_and_an_arm_of_its_own() -> None:
    benchmark = read_benchmark("tinyworld-tasks", num_items=15, seed=0)
    other = with_others_tasks(benchmark)
    assert all(one.task != two.task for one, two in zip(benchmark.items, other.items, strict=True))
    facts = [[workbench._item_facts(item) for item in one.items] for one in (benchmark, other)]
    assert facts[0] != facts[1]


def test_kept_pixels_are_compared_after_the_last_turn(params: Params, shipped: Path, tmp_path: Path) -> None:
    only = ["emu-threshold-keeps-turns"]
    [row] = run_ledger(tmp_path / "out", params, only=only, work_dir=tmp_path / "work")["rows"]
    assert row["effect"]["n"] == 2 and row["verdict"] == "undecided"
    # A random editor changes nearly everything: few pixels are kept, which makes a difference, but a small one.
    [nothing] = row["controls"]
    assert 0 < abs(row["effect"]["value"]) < nothing["value"]
    assert [detail["n"] for detail in row["details"]] == [2, 2, 2, 8]


def test_items_of_a_turn_are_told_by_their_ids() -> None:
    arm = SimpleNamespace(ids=("turns-0-00000-0", "turns-0-00000-3", "turns-0-00010-3"))
    assert np.array_equal(of_turn(arm, 3), [False, True, True])  # type: ignore[arg-type]


def test_a_vector_is_compared_with_tuning_everything_on_an_editor_that_never_saw_the_task(
    params: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task_inversion, "NUM_EXAMPLES", (2, 4))
    only = ["emu-task-inversion"]
    [row] = run_ledger(tmp_path / "out", params, only=only, work_dir=tmp_path / "work")["rows"]
    assert row["effect"]["n"] == 3 and [detail["n"] for detail in row["details"]] == [3] * 4
    tasks = {triplet.task for triplet in read_triplets(tmp_path / "work/triplets/tasks-all-but-segment-0")}
    assert tasks == {*map(str, MADE_TASKS)} - {"segment"}
    trained = tmp_path / "work/tasks/0"
    assert sorted(path.name for path in trained.iterdir() if not path.name.startswith(".")) == [
        "inverted-segment-2", "inverted-segment-4", "tuned-segment-2", "tuned-segment-4", "without-segment",
    ]  # fmt: skip
    assert len(list(read_triplets(tmp_path / "work/triplets/tasks-segment-4-0"))) == 4
    again = run_ledger(tmp_path / "out", params, only=only, work_dir=tmp_path / "work")["rows"]
    assert again == [row]


def test_an_editor_of_all_tasks_is_compared_with_experts_and_with_one_that_only_edits(
    params: Params, tmp_path: Path
) -> None:
    only = ["emu-multi-task-beats-experts", "emu-vision-tasks-help"]
    rows = run_ledger(tmp_path / "out", params, only=only, work_dir=tmp_path / "work")["rows"]
    assert [row["effect"]["n"] for row in rows] == [24, 24] and all(row["controls"][0]["n"] > 12 for row in rows)
    # Random editors are right by chance alone.
    assert "holds" not in {row["verdict"] for row in rows}
    labels = [[detail["label"] for detail in row["details"]] for row in rows]
    assert [sum("gain" in label and "Right edits of" in label for label in told) for told in labels] == [4, 8]
    trained = {path.name: path for path in (tmp_path / "work/tasks/0").iterdir() if not path.name.startswith(".")}
    editing = "-".join(task for task in MADE_TASKS if task.group != "vision")
    assert trained.keys() == {"on-all", "on-remove", "on-background", "on-global", "on-segment", f"on-{editing}"}
    # Each task is learned as long, and from as many triplets, as among all.
    steps = {name: json.loads((path / "training.json").read_text())["num_steps"] for name, path in trained.items()}
    assert steps["on-all"] == 15 and steps["on-remove"] == 1 and steps[f"on-{editing}"] == 8
    triplets = list(read_triplets(tmp_path / "work/triplets/tasks-remove-0"))
    assert [triplet.task for triplet in triplets] == ["remove"]


def test_a_profile_without_such_an_editor_says_how_to_train_one(params: Params, tmp_path: Path) -> None:
    [row] = run_ledger(tmp_path / "out", params, only=["emu-task-embedding"], work_dir=tmp_path / "work")["rows"]
    assert row["verdict"] == "undecided" and "editfoundry tinyworld pretrain emu_edit" in row["note"]
