import json
from pathlib import Path

import pytest
from function_editors import editor_of
from worlds import ColourEncoder, make_cases, return_the_input, return_the_truth

from editfoundry.evaluation.evaluate import Evaluation, evaluate_editors
from editfoundry.evaluation.json_file import write_json
from editfoundry.evaluation.preservation import PSNR_CAP
from editfoundry.evaluation.summary import METRICS, summarise, write_results

CASES = make_cases(16)


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    known = [c.id for c in CASES if c.category == "Long-Term"]
    editors = {"base": return_the_input, "fine_tuned": return_the_truth(CASES, only=known)}
    return evaluate_editors(editors, CASES, ColourEncoder())


def test_every_metric_has_value_interval_and_count_overall_and_by_category(evaluation: Evaluation) -> None:
    summary = summarise(evaluation, "test")
    for name in ("base", "fine_tuned", "difference"):
        parts = [(summary[name]["overall"], 16), *((p, 4) for p in summary[name]["by_category"].values())]
        assert len(parts) == 5
        for part, count in parts:
            assert set(part) == set(METRICS) == {"outcome_accuracy", "clip_score", "preservation_psnr"}
            for interval in part.values():
                assert interval["n"] == count
                assert interval["low"] <= interval["value"] <= interval["high"]


def test_accuracy_by_category_and_the_paired_gain_are_as_constructed(evaluation: Evaluation) -> None:
    summary = summarise(evaluation, "test")
    assert summary["base"]["overall"]["outcome_accuracy"]["value"] == 0.0
    assert summary["fine_tuned"]["overall"]["outcome_accuracy"]["value"] == 0.25
    assert summary["difference"]["overall"]["outcome_accuracy"]["value"] == 0.25
    gains = {c: m["outcome_accuracy"]["value"] for c, m in summary["difference"]["by_category"].items()}
    assert gains == {"Long-Term": 1.0, "Physical-Trans": 0.0, "Story-Type": 0.0, "change": 0.0}
    assert summary["fine_tuned"]["outcomes"] == {"truth": 4, "wrong": 0, "input": 12, "failed": 0}


def test_infinite_preservation_counts_for_the_cap_in_the_mean(evaluation: Evaluation) -> None:
    assert summarise(evaluation, "test")["base"]["overall"]["preservation_psnr"]["value"] == PSNR_CAP


def test_failed_edits_count_as_wrong_and_are_absent_from_the_other_means() -> None:
    def half(requests):  # type: ignore[no-untyped-def]
        if len(requests) > 1 or requests[0].instruction == CASES[0].instruction:
            raise RuntimeError("no")
        return [edit.require() for edit in return_the_truth(CASES).edit(requests)]

    scores = summarise(evaluate_editors({"x": editor_of(half)}, CASES[:2], ColourEncoder()), "test")["x"]
    assert scores["overall"]["outcome_accuracy"]["value"] == 0.5
    assert scores["overall"]["outcome_accuracy"]["n"] == 2
    assert scores["overall"]["clip_score"]["n"] == scores["overall"]["preservation_psnr"]["n"] == 1
    assert scores["failures"] == {"crashed": 1}


def test_summary_and_rows_are_written_as_valid_json(evaluation: Evaluation, tmp_path: Path) -> None:
    main, other = (summarise(evaluation, name) for name in ("test", "test-new-rules"))
    write_results(tmp_path / "reports", [(main, evaluation), (other, evaluation)])
    summary = json.loads((tmp_path / "reports" / "summary.json").read_text())
    rows = json.loads((tmp_path / "reports" / "metrics.json").read_text())
    assert summary["benchmark"] == "test"
    assert summary["other_benchmarks"]["test-new-rules"]["difference"] == json.loads(json.dumps(other["difference"]))
    assert len(rows) == 2 * 2 * len(CASES)
    accuracy = sum(r["correct"] for r in rows if r["editor"] == "fine_tuned" and r["benchmark"] == "test") / len(CASES)
    assert accuracy == summary["fine_tuned"]["overall"]["outcome_accuracy"]["value"]


def test_a_file_that_cannot_be_written_leaves_the_old_one_and_nothing_else(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"value": 1})
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "a.json", {"value": float("nan")})
    assert json.loads((tmp_path / "a.json").read_text()) == {"value": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]
