import json
from xml.etree import ElementTree

import pytest
from html_outline import check_self_contained
from PIL import Image
from tiny_models import tiny_triplets

from editfoundry.data.shards import write_triplets
from editfoundry.editors.guidance_sweep import PAPER_IMAGE_GUIDANCE_SCALES
from editfoundry.errors import BadInputError
from editfoundry.evaluation import lineage_report
from editfoundry.evaluation.benchmarks.item import Benchmark, BenchmarkItem
from editfoundry.evaluation.lineage_report import evaluate_checkpoint
from editfoundry.evaluation.metrics.metric_models import MetricModels
from editfoundry.evaluation.report_params import LineReport, PairReportParams
from editfoundry.evaluation.reports.curve_chart import Curve, curves_svg
from editfoundry.evaluation.reports.trade_off import run_trade_off, scaled_editors
from editfoundry.lineage.params import Params
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.profiles import EMBEDDED_FOLDER, load_profile


def test_the_embedded_editor_is_swept_and_its_edits_are_kept(tmp_path, capsys):
    from editfoundry.cli import app

    out = tmp_path / "trade-off"
    sizes = ["--num-items", "2", "--num-inference-steps", "2", "--image-guidance-scales", "1,2.2", "--device", "cpu"]
    command = ["trade-off", "--editor", "base", "--benchmark", "tinyworld-world", "--out", str(out), *sizes, "--json"]
    app(command, standalone_mode=False)
    printed = json.loads(capsys.readouterr().out)
    points = printed["curves"]["base"]
    assert [p["image_guidance_scale"] for p in points] == [1.0, 2.2]
    assert [p["clip_direction"]["n"] for p in points] == [2, 2]
    # The edits differ, so the scales reached the sampler.
    assert points[0]["clip_image"]["value"] != points[1]["clip_image"]["value"]
    edits = sorted((out / "edits").glob("*/*.png"))
    assert [len(list(folder.glob("*.png"))) for folder in sorted((out / "edits").iterdir())] == [2, 2]
    times = [path.stat().st_mtime_ns for path in edits]
    app(command, standalone_mode=False)
    assert json.loads(capsys.readouterr().out)["curves"] == printed["curves"]
    assert [path.stat().st_mtime_ns for path in edits] == times
    page = check_self_contained((out / "trade_off.html").read_text())
    assert f"{points[0]['clip_image']['value']:.4f} n 2" in page.text and "s_T is 7.5" in page.text
    assert "The sweep in pictures: 2 of 2 shown" in page.text and page.tags.count("img") == 2 * 4


def begins(*_):
    raise InterruptedError


def test_a_lines_report_has_a_trade_off_and_is_made_anew_where_what_it_shows_changes(tmp_path, monkeypatch):
    settings = PairReportParams(num_plain_cases=2, num_inference_steps=2, guidance_scale=3.0, num_trade_off_cases=2)
    params = Params(device="cpu", instruct_pix2pix_report=settings)
    report = LineReport(
        section="instruct_pix2pix_report",
        training="instruct_pix2pix",
        benchmarks=("tinyworld-plain",),
        title="Pairs",
        compares="one editor with another",
    )
    how = {"runs": tmp_path / "runs", "report": report}
    assert evaluate_checkpoint(params, EMBEDDED_FOLDER / "editworld", tmp_path / "out", **how)
    swept = json.loads((tmp_path / "out" / "trade_off.json").read_text())
    assert list(swept["curves"]) == ["base", "fine_tuned"] and swept["guidance_scale"] == 3.0
    for points in swept["curves"].values():
        assert [point["image_guidance_scale"] for point in points] == list(PAPER_IMAGE_GUIDANCE_SCALES)
        assert len({point["clip_image"]["value"] for point in points}) > 1
    page = check_self_contained((tmp_path / "out" / "report.html").read_text())
    assert "s_T is 3" in page.text and "The sweep in pictures: 2 of 2 shown" in page.text
    assert "trade-off" in page.ids
    monkeypatch.setattr(lineage_report, "_draw", begins)
    assert not evaluate_checkpoint(params, EMBEDDED_FOLDER / "editworld", tmp_path / "out", **how)
    write_triplets(tmp_path / "dataset" / "train" / "00000.tar", tiny_triplets(2))
    with pytest.raises(InterruptedError):
        evaluate_checkpoint(params, EMBEDDED_FOLDER / "editworld", tmp_path / "out", tmp_path / "dataset", **how)
    monkeypatch.setattr(lineage_report, "model_identity", lambda *_: ["another CLIP"])
    with pytest.raises(InterruptedError):
        evaluate_checkpoint(params, EMBEDDED_FOLDER / "editworld", tmp_path / "out", **how)


def test_editors_without_image_guidance_and_benchmarks_without_captions_are_refused(tmp_path):
    profile, runtime = load_profile("embedded"), choose_runtime("cpu")
    with pytest.raises(BadInputError):
        scaled_editors(["input"], profile, runtime, [1.0, 2.0])
    with pytest.raises(BadInputError, match="different image guidance scales"):
        scaled_editors(["base"], profile, runtime, [1.0, 1.0])
    picture = Image.new("RGB", (64, 64))
    item = BenchmarkItem(id="a", category="add", instruction="Add a dog.", input_image=picture, output_caption="a dog")
    with pytest.raises(BadInputError, match="measured with CLIP"):
        run_trade_off([], Benchmark(name="b", title="B", items=(item,)), tmp_path, models=MetricModels())
    with pytest.raises(BadInputError, match="no item has the two captions"):
        run_trade_off(
            [], Benchmark(name="b", title="B", items=(item,)), tmp_path, models=MetricModels({"clip": object()})
        )


def test_a_curve_rises_to_the_right_and_leaves_points_without_a_value_out():
    def points(*values):
        return tuple({"value": v, "low": v, "high": v} for v in values)

    curve = Curve(title="a & b", css="s0", labels=("1", "2", "3"), x=points(0.0, None, 0.2), y=points(0.8, 0.85, 0.9))
    chart = ElementTree.fromstring(curves_svg([curve], "a <label>"))
    circles = [c for c in chart.iter("circle")]
    places = [(float(c.get("cx", "")[:-1]), float(c.get("cy", "")[:-1])) for c in circles]
    assert len(places) == 2 and places[0][0] < places[1][0] and places[0][1] > places[1][1]
    assert [c[0].text for c in circles] == ["a & b, 1: 0.0000, 0.8000", "a & b, 3: 0.2000, 0.9000"]
