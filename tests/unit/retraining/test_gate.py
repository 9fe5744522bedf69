import contextlib
import json
import multiprocessing
import shutil
from pathlib import Path

import pytest
from gate_projects import outcomes, report, write_candidate

import editfoundry.retraining.gate as gate_module
from editfoundry.errors import BadInputError
from editfoundry.evaluation.bootstrap import Interval
from editfoundry.evaluation.report_params import ReportParams
from editfoundry.evaluation.reports.run_results import parse_run
from editfoundry.lineage.params import Params
from editfoundry.retraining.comparison import EditorComparison, compare_editors, edits_of
from editfoundry.retraining.gate import ITSELF, decide, pass_gate
from editfoundry.tracking.mlflow_client import open_client, tracking_uri_of
from editfoundry.tracking.model_registry import version_by_alias

PARAMS = Params()


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A project whose first candidate, with 20 cases of 60 right against the base's 2, has passed the gate."""
    root = tmp_path_factory.mktemp("project")
    patch = pytest.MonkeyPatch()
    patch.delenv("MLFLOW_TRACKING_URI", raising=False)
    write_candidate(root, "first", 20)
    assert pass_gate(PARAMS, root).promoted
    yield root
    patch.undo()


def alias(root, name):
    return version_by_alias(name, tracking_uri=tracking_uri_of(root)).version


def never(*_):
    raise AssertionError("the champion's own rows fit; nothing is to be evaluated again")


def test_the_gate_compares_with_the_champion_keeps_the_reason_and_promotes_only_what_is_better(root):
    first = version_by_alias("champion", tracking_uri=tracking_uri_of(root))
    assert first.tags["gate_opponent"] == "base"
    assert first.tags["gate_promoted"] == "true"
    assert {"data_hash", "code_revision", "profile", "report"} <= set(first.tags)

    write_candidate(root, "worse", 5)
    worse = pass_gate(PARAMS, root, evaluate=never)
    assert not worse.promoted and worse.regressions
    assert (alias(root, "candidate"), alias(root, "champion")) == (worse.candidate.version, first.version)
    kept = version_by_alias("candidate", tracking_uri=tracking_uri_of(root)).tags["gate_reason"]
    assert kept == worse.reason and kept.startswith(f"worse than the champion, version {first.version}")

    write_candidate(root, "no surer", 21)
    unsure = pass_gate(PARAMS, root, evaluate=never)
    assert not unsure.promoted and not unsure.regressions
    assert unsure.reason.startswith("not surely better")

    write_candidate(root, "better", 45)
    better = pass_gate(PARAMS, root, evaluate=never)
    assert better.promoted
    assert alias(root, "candidate") == alias(root, "champion") == better.candidate.version

    again = pass_gate(PARAMS, root, evaluate=never)
    assert again.opponent == ITSELF and not again.promoted
    assert version_by_alias("champion", tracking_uri=tracking_uri_of(root)).tags["gate_promoted"] == "true"


def test_the_run_of_a_decision_keeps_the_interval_and_the_rows(root):
    write_candidate(root, "tracked", 3)
    decision = pass_gate(PARAMS, root)
    client = open_client(tracking_uri_of(root))
    run = client.get_run(decision.run_id)
    difference = decision.comparisons[0].difference
    assert run.data.metrics["tinyworld-world_right_high"] == pytest.approx(difference.high)
    assert run.data.tags["gate_reason"] == decision.reason
    assert "metrics.json" in [file.path for file in client.list_artifacts(decision.run_id)]


def test_a_champion_that_saw_other_cases_or_another_sampler_is_evaluated_again(root):
    champion = alias(root, "champion")
    evaluated, seed = [], 7

    def evaluate(params, editor, output):
        evaluated.append(json.loads((editor / "model_index.json").read_text())["_class_name"])
        output.mkdir(parents=True, exist_ok=True)
        (output / "metrics.json").write_text(json.dumps(report({"fine_tuned": outcomes(59)}, seed=seed)))

    write_candidate(root, "other cases", 50, seed=7)
    assert not pass_gate(PARAMS, root, evaluate).promoted
    assert evaluated == ["StableDiffusionInstructPix2PixPipeline"]

    write_candidate(root, "another sampler", 50, seed=7)
    pass_gate(Params(editworld_report=ReportParams(guidance_scale=1.0)), root, evaluate)
    assert len(evaluated) == 2

    # The champion's own cases: only the sampler differs from that of its kept rows.
    seed = 1
    write_candidate(root, "another sampler alone", 50, seed=seed)
    pass_gate(Params(editworld_report=ReportParams(guidance_scale=1.0)), root, evaluate)
    assert len(evaluated) == 3
    assert alias(root, "champion") == champion


def test_a_gain_that_unlearns_another_benchmark_is_not_promoted():
    def edits(world, plain):
        runs = {"tinyworld-world": world, "tinyworld-plain": plain}
        parsed = [
            parse_run(report({"x": outcomes(n)}, name)["benchmarks"][name], Path(), "") for name, n in runs.items()
        ]
        return edits_of(parsed, "x")

    promoted, reason = decide(tuple(compare_editors(edits(40, 5), edits(10, 30))), "champion, version 3")
    assert not promoted
    assert "but worse elsewhere: tinyworld-plain: right -0.417" in reason


def compared(headline, *others):
    """Comparisons whose intervals are these."""
    return tuple(
        EditorComparison(benchmark=f"number {n}", difference=Interval(sum(ends) / 2, *ends, 60))
        for n, ends in enumerate((headline, *others))
    )


@pytest.mark.parametrize(
    ("intervals", "promoted", "reason"),
    [
        ([(0.1, 0.3), (-0.2, 0.1)], True, "better than the base, with 95 % confidence: number 0: right +0.200"),
        ([(0.1, 0.3), (-0.2, 0.0)], True, "better than the base"),
        ([(0.1, 0.3), (0.1, 0.2), (-0.2, -0.1)], False, "but worse elsewhere: number 2: right -0.150"),
        ([(0.0, 0.3), (0.1, 0.2)], False, "not surely better than the base: number 0"),
        ([(-0.3, -0.1), (-0.2, -0.1)], False, "worse than the base: number 0"),
    ],
)
def test_a_candidate_is_promoted_that_is_surely_better_first_and_surely_worse_nowhere(intervals, promoted, reason):
    found, why = decide(compared(*intervals), "base")
    assert found is promoted and reason in why
    assert decide(compared(*intervals), ITSELF) == (False, "this version is the champion already")


def test_without_a_report_there_is_no_gate(tmp_path):
    with pytest.raises(BadInputError, match="run editworld_report first"):
        pass_gate(PARAMS, tmp_path)


def pass_at_once(root, uri, start, decisions):
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("MLFLOW_TRACKING_URI", uri)
        start.wait()
        decision = pass_gate(PARAMS, root)
        decisions.put((root.name, decision.candidate.version, decision.promoted))


@pytest.mark.slow
def test_of_two_gates_at_once_the_better_candidate_stays_champion(tmp_path):
    candidates = {"better": 45, "worse": 20}
    for name, num_right in candidates.items():
        write_candidate(tmp_path / name, name, num_right)
    open_client(f"sqlite:///{tmp_path / 'empty.db'}").search_experiments()
    processes = multiprocessing.get_context("fork")
    for pair in range(2):
        shutil.copyfile(tmp_path / "empty.db", tmp_path / f"{pair}.db")
        uri = f"sqlite:///{tmp_path / f'{pair}.db'}"
        start, decisions = processes.Barrier(2), processes.Queue()
        arguments = [(tmp_path / name, uri, start, decisions) for name in candidates]
        gates = [processes.Process(target=pass_at_once, args=given) for given in arguments]
        for gate in gates:
            gate.start()
        told = {name: (version, promoted) for name, version, promoted in (decisions.get(timeout=300) for _ in gates)}
        for gate in gates:
            gate.join(60)
        assert version_by_alias("champion", tracking_uri=uri).version == told["better"][0]
        came_first = told["worse"][0] == "1"
        assert told["better"][1] and told["worse"][1] == came_first


def test_a_champion_of_somebody_else_is_seen_before_the_alias_moves(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'shared.db'}")
    write_candidate(tmp_path / "mine", "mine", 20)
    write_candidate(tmp_path / "theirs", "theirs", 45)
    # Without a lock, as on a tracking server.
    monkeypatch.setattr("editfoundry.retraining.gate.registry_lock", lambda *_: contextlib.nullcontext())
    keep, is_first = gate_module._keep, True

    def keep_and_be_overtaken(*arguments):
        nonlocal is_first
        keep(*arguments)
        if is_first:
            is_first = False
            assert pass_gate(PARAMS, tmp_path / "theirs").promoted

    monkeypatch.setattr(gate_module, "_keep", keep_and_be_overtaken)
    mine = pass_gate(PARAMS, tmp_path / "mine")
    assert not mine.promoted and mine.reason.startswith("worse than the champion, version 2")
    assert alias(tmp_path / "theirs", "champion") == "2"
