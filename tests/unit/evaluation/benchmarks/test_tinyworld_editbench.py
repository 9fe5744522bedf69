"""tinyworld's EditBench measures attribute by attribute, beside its controls, in a report of its own tables."""

import json

import pytest
from function_editors import editor_of
from worlds import return_the_input

from editfoundry.errors import BadInputError
from editfoundry.evaluation.benchmark_run import run_benchmark
from editfoundry.evaluation.benchmarks.reading import benchmark_definition, read_benchmark
from editfoundry.evaluation.contestants import Contestant
from editfoundry.evaluation.controls import INSTRUCTION_CONTROLS, another_items
from editfoundry.evaluation.metrics.metric_models import MetricModels
from editfoundry.evaluation.preservation import preservation_mse
from editfoundry.evaluation.reports.write import write_reports

NAME = "tinyworld-editbench"
NUM_ITEMS = 15


@pytest.fixture(scope="module")
def benchmark():
    return read_benchmark(NAME, num_items=NUM_ITEMS)


def painter_of(benchmark):
    """Return an editor that paints what is asked where it knows how, whatever stood in this hole."""
    truths = {item.instruction: item for item in benchmark.items}

    def paint(requests):
        return [truths[r.instruction].open_truth() if r.instruction in truths else r.image for r in requests]

    return editor_of(paint)


def test_every_attribute_is_measured_and_what_another_prompt_gets_is_told(benchmark, tmp_path):
    editors = [
        Contestant(name=name, open=lambda editor=editor: editor)
        for name, editor in (("painter", painter_of(benchmark)), ("nothing", return_the_input))
    ]
    run_benchmark(editors, benchmark, tmp_path, models=MetricModels(), controls=INSTRUCTION_CONTROLS)
    write_reports(tmp_path)
    summary = json.loads((tmp_path / "summary.json").read_text())
    attributes = [f"right_{name}" for name in ("object", "colour", "shape", "size", "position", "count")]
    painter, nothing = summary["painter"]["overall"], summary["nothing"]["overall"]
    assert [painter[name]["value"] for name in ("right", "sharp", *attributes)] == [1.0] * 8
    assert [nothing[name]["value"] for name in ("right", *attributes)] == [0.0] * 7
    assert painter["right_object"]["n"] == NUM_ITEMS and painter["right_size"]["n"] == 3
    another = summary["controls"]["editors"]["painter"]["another-instruction"]
    assert another["right_object"]["value"] < 0.2
    assert summary["bounds"]["truth"]["right"] == 1 and summary["bounds"]["noise"]["right_object"] == 0
    assert {"attribute: colour", "object: common", "scene: outdoor"} <= set(summary["painter"]["by_part"])
    assert any(part.startswith("mask: ") for part in summary["painter"]["by_part"])
    for page in ("report.html", "report.md"):
        assert "What was painted, by attribute" in (tmp_path / page).read_text()


def test_what_lies_outside_the_hole_is_preserved_by_whoever_paints_inside_it_alone(benchmark):
    for item in benchmark.items:
        assert preservation_mse(item.case.true_output, item.case) == 0


def test_another_prompt_is_never_of_the_same_picture(benchmark):
    for item, other in zip(benchmark.items, another_items(benchmark.items), strict=True):
        assert other is None or other.group != item.group


def test_pictures_are_whole_and_none_is_refused(benchmark):
    assert benchmark_definition(NAME).knows_truth
    assert [len(read_benchmark(NAME, num_items=count).items) for count in (1, 4, 6)] == [3, 3, 6]
    with pytest.raises(BadInputError, match="at least one"):
        read_benchmark(NAME, num_items=0)
