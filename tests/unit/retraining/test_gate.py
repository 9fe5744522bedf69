import json
from pathlib import Path

import pytest
from gate_projects import outcomes, report, write_candidate

from editfoundry.errors import BadInputError
from editfoundry.evaluation.report_params import ReportParams
from editfoundry.evaluation.reports.run import parse_run
from editfoundry.lineage.params import Params
from editfoundry.retraining.comparison import compare_editors, edits_of
from editfoundry.retraining.gate import ITSELF, decide, pass_gate, tracking_uri
from editfoundry.tracking.mlflow_client import open_client
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
    return version_by_alias(name, tracking_uri=tracking_uri(root)).version


def never(*_):
    raise AssertionError("the champion's own rows fit; nothing is to be evaluated again")


def test_the_gate_compares_with_the_champion_keeps_the_reason_and_promotes_only_what_is_better(root):
    first = version_by_alias("champion", tracking_uri=tracking_uri(root))
    assert first.tags["gate_opponent"] == "base"
    assert first.tags["gate_promoted"] == "true"
    assert {"data_hash", "code_revision", "profile", "report"} <= set(first.tags)

    write_candidate(root, "worse", 5)
    worse = pass_gate(PARAMS, root, evaluate=never)
    assert not worse.promoted and worse.regressions
    assert (alias(root, "candidate"), alias(root, "champion")) == (worse.candidate.version, first.version)
    kept = version_by_alias("candidate", tracking_uri=tracking_uri(root)).tags["gate_reason"]
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
    assert version_by_alias("champion", tracking_uri=tracking_uri(root)).tags["gate_promoted"] == "true"


def test_the_run_of_a_decision_keeps_the_interval_and_the_rows(root):
    write_candidate(root, "tracked", 3)
    decision = pass_gate(PARAMS, root)
    client = open_client(tracking_uri(root))
    run = client.get_run(decision.run_id)
    difference = decision.comparisons[0].difference
    assert run.data.metrics["tinyworld-world_outcome_high"] == pytest.approx(difference.high)
    assert run.data.tags["gate_reason"] == decision.reason
    assert "metrics.json" in [file.path for file in client.list_artifacts(decision.run_id)]


def test_a_champion_that_saw_other_cases_or_another_sampler_is_evaluated_again(root):
    champion = alias(root, "champion")
    evaluated = []

    def evaluate(params, editor, output):
        evaluated.append(json.loads((editor / "model_index.json").read_text())["_class_name"])
        output.mkdir(parents=True, exist_ok=True)
        (output / "metrics.json").write_text(json.dumps(report({"fine_tuned": outcomes(59)}, seed=7)))

    write_candidate(root, "other cases", 50, seed=7)
    assert not pass_gate(PARAMS, root, evaluate).promoted
    assert evaluated == ["StableDiffusionInstructPix2PixPipeline"]

    write_candidate(root, "another sampler", 50, seed=7)
    pass_gate(Params(editworld_report=ReportParams(guidance_scale=1.0)), root, evaluate)
    assert len(evaluated) == 2
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
    assert "but worse elsewhere: tinyworld-plain: outcome -0.417" in reason


def test_without_a_report_there_is_no_gate(tmp_path):
    with pytest.raises(BadInputError, match="run editworld_report first"):
        pass_gate(PARAMS, tmp_path)
