"""A metric and a benchmark of one's own: one file and one entry in a list each, and the report has them."""

import json

import pytest
from extending_page import example_names
from html_outline import check_self_contained
from worlds import return_the_input

from editfoundry.errors import BadInputError
from editfoundry.evaluation.benchmark_run import run_benchmark
from editfoundry.evaluation.benchmarks import all_benchmarks
from editfoundry.evaluation.benchmarks.reading import read_benchmark
from editfoundry.evaluation.contestants import Contestant
from editfoundry.evaluation.metrics import all_metrics
from editfoundry.evaluation.metrics.metric_models import MetricModels
from editfoundry.evaluation.reports import write_reports


def report_of(benchmark, folder):
    contestant = Contestant(name="input", open=lambda: return_the_input)
    run_benchmark([contestant], benchmark, folder, models=MetricModels())
    write_reports(folder)
    return check_self_contained((folder / "report.html").read_text()).text


def test_a_metric_is_one_file_and_one_entry_and_stands_in_the_report(tmp_path, monkeypatch):
    brightness = example_names("A metric")["BRIGHTNESS"]
    monkeypatch.setattr(all_metrics, "METRICS", (*all_metrics.METRICS, brightness))
    text = report_of(read_benchmark("tinyworld-plain", num_items=2), tmp_path / "run")
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    mean = summary["input"]["overall"]["brightness"]
    assert 0 < mean["value"] < 1 and mean["n"] == 2
    assert f"Brightness ↑ {mean['value']:.3f} n 2" in text and "Mean of all channels." in text


def test_a_benchmark_is_one_file_and_one_entry_and_has_a_report(tmp_path, monkeypatch):
    from PIL import Image

    for name in ("red", "blue"):
        Image.new("RGB", (16, 16), name).save(tmp_path / f"{name}.png")
    squares = example_names("A benchmark")["SQUARES"]
    with pytest.raises(BadInputError, match="no benchmark 'squares'"):
        read_benchmark("squares", tmp_path)
    monkeypatch.setattr(all_benchmarks, "BENCHMARKS", (*all_benchmarks.BENCHMARKS, squares))
    text = report_of(read_benchmark("squares", tmp_path), tmp_path / "run")
    assert "Squares of one colour" in text and "Make it blue." in text and "square · red" in text
