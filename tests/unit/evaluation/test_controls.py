"""Controls: editors asked for something else, and pictures that no editor made."""

import json

import numpy as np
import pytest
from function_editors import editor_of
from PIL import Image

from editfoundry.errors import BadInputError
from editfoundry.evaluation.benchmark_run import run_benchmark
from editfoundry.evaluation.benchmarks.item import Benchmark, BenchmarkItem
from editfoundry.evaluation.benchmarks.reading import read_benchmark
from editfoundry.evaluation.contestants import Contestant
from editfoundry.evaluation.controls import (
    ANOTHER_INSTRUCTION,
    INSTRUCTION_CONTROLS,
    NO_INSTRUCTION,
    TRIVIAL_EDITORS,
    TrivialPictures,
    another_items,
)
from editfoundry.evaluation.metrics.edited_batch import open_pictures
from editfoundry.evaluation.metrics.metric_models import MetricModels
from editfoundry.evaluation.reports import write_reports
from editfoundry.evaluation.reports.run_results import read_run
from editfoundry.evaluation.reports.run_summary import summarise_run
from editfoundry.tinyworld.outcome import judge_outcome

METRICS = ("right", "sharp", "preservation_psnr", "l1")


def contestant(name, edit) -> Contestant:
    editor = editor_of(lambda requests: [edit(request) for request in requests])
    return Contestant(name=name, open=lambda: editor)


@pytest.fixture(scope="module", params=["tinyworld-world", "tinyworld-plain", "tinyworld-new-rules"])
def benchmark(request) -> Benchmark:
    return read_benchmark(request.param, None, num_items=100, seed=7)


def test_no_trivial_editor_is_right_more_than_three_times_in_a_hundred(benchmark) -> None:
    made = TrivialPictures(benchmark, seed=0)
    right = {trivial.name: 0 for trivial in TRIVIAL_EDITORS}
    for item in benchmark.items:
        for name, image in made.of(open_pictures(item)).items():
            right[name] += judge_outcome(np.asarray(image), item.case).right
    assert max(right.values()) <= 3, right


def test_an_item_gets_the_instruction_of_one_that_changes_another_thing(benchmark) -> None:
    others = another_items(benchmark.items)
    assert None not in others
    for item, other in zip(benchmark.items, others, strict=True):
        assert other.instruction != item.instruction and other.case.changes != item.case.changes


def item(name: str, instruction: str, colour: int = 0) -> BenchmarkItem:
    picture = Image.new("RGB", (8, 6), (colour, colour, colour))
    return BenchmarkItem(id=name, category="", instruction=instruction, input_image=picture)


def test_where_all_items_ask_the_same_there_is_no_other_instruction() -> None:
    same = Benchmark(name="b", title="B", items=(item("a", "Fry it."), item("b", "fry it. ")))
    assert another_items(same.items) == [None, None]
    assert INSTRUCTION_CONTROLS[0].ask(same).items == ()


def test_trivial_pictures_have_the_inputs_size_and_need_no_truth() -> None:
    known = Benchmark(name="b", title="B", items=(item("a", "x", 10), item("b", "y", 40)))
    made = TrivialPictures(known, seed=0).of(open_pictures(known.items[0]))
    assert {name for name, image in made.items() if image is None} == {"mean-truth", "another-truth"}
    assert {image.size for image in made.values() if image is not None} == {(8, 6)}
    assert made["inverted"].getpixel((0, 0)) == (245, 245, 245)


class ReadsInstructions:
    """Answers a case by its own instruction alone; for every other one it returns the input."""

    def __init__(self, benchmark: Benchmark) -> None:
        self.truths = {(i.id, i.instruction): i.open_truth() for i in benchmark.items}

    def __call__(self, request):
        return self.truths.get((request.id, request.instruction), request.image)


def test_an_editor_that_reads_and_one_that_does_not_differ_in_what_is_specific(tmp_path) -> None:
    benchmark = read_benchmark("tinyworld-world", None, num_items=12, seed=3)
    truths = {i.id: i.open_truth() for i in benchmark.items}
    editors = [
        contestant("reads", ReadsInstructions(benchmark)),
        contestant("guesses", lambda request: truths[request.id]),
    ]
    found = run_benchmark(
        editors, benchmark, tmp_path, models=MetricModels(), metrics=METRICS, controls=INSTRUCTION_CONTROLS
    )
    assert len(found["items"]) == 24 and len(found["controls"]) == 48
    summary = summarise_run(read_run(tmp_path))
    assert [summary[e]["overall"]["right"]["value"] for e in ("reads", "guesses")] == [1, 1]
    controls = summary["controls"]
    assert {c: v["right"]["value"] for c, v in controls["editors"]["reads"].items()} == {
        ANOTHER_INSTRUCTION: 0,
        NO_INSTRUCTION: 0,
    }
    assert controls["specific"]["reads"]["value"] == 1 and controls["specific"]["guesses"]["value"] == 0
    assert controls["specific_paired"]["guesses - reads"]["value"] == -1
    assert summary["bounds"]["truth"]["right"] == 1 and summary["bounds"]["noise"]["right"] == 0
    assert summary["bounds"]["input"]["preservation_psnr"] == 60
    write_reports(tmp_path, 0)
    page, markdown = ((tmp_path / name).read_text() for name in ("report.html", "report.md"))
    for text in (page, markdown):
        assert "another item" in text and "specific: its own minus another" in text and "flat grey" in text


def test_edits_by_way_of_control_are_not_made_again(tmp_path) -> None:
    benchmark = read_benchmark("tinyworld-world", None, num_items=3, seed=3)
    asked: list[str] = []

    def edit(request):
        asked.append(request.instruction)
        return request.image

    for _ in range(2):
        run_benchmark(
            [contestant("mine", edit)],
            benchmark,
            tmp_path,
            models=MetricModels(),
            metrics=METRICS,
            controls=INSTRUCTION_CONTROLS,
        )
    assert len(asked) == 9 and asked.count("") == 3


def test_a_run_without_controls_has_none(tmp_path) -> None:
    benchmark = read_benchmark("tinyworld-world", None, num_items=2, seed=3)
    found = run_benchmark(
        [contestant("mine", lambda request: request.image)], benchmark, tmp_path, models=MetricModels(), metrics=METRICS
    )
    assert "controls" not in found and not (tmp_path / "controls").exists()
    assert "controls" not in summarise_run(read_run(tmp_path))


def test_controls_of_an_editor_that_the_report_does_not_know_are_refused(tmp_path) -> None:
    benchmark = read_benchmark("tinyworld-world", None, num_items=2, seed=3)
    run_benchmark(
        [contestant("mine", lambda request: request.image)],
        benchmark,
        tmp_path,
        models=MetricModels(),
        metrics=METRICS,
        controls=INSTRUCTION_CONTROLS,
    )
    path = tmp_path / "metrics.json"
    data = json.loads(path.read_text())
    data["controls"][0]["editor"] = "nobody"
    path.write_text(json.dumps(data))
    with pytest.raises(BadInputError, match="by 'nobody', which is none of its editors"):
        read_run(tmp_path)
