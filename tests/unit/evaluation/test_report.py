import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from function_editors import editor_of
from PIL import Image
from worlds import CATEGORIES, ColourEncoder, make_cases, return_the_input, return_the_truth

from editfoundry.data.stage import StageResult
from editfoundry.evaluation.evaluate import Evaluation, evaluate_editors
from editfoundry.evaluation.grid import grid_png
from editfoundry.evaluation.report import BenchmarkSection, Report, render_report, write_report
from editfoundry.evaluation.summary import summarise

CASES = make_cases(16)


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    def frail(requests):  # type: ignore[no-untyped-def]
        if len(requests) > 1 or requests[0].instruction == CASES[3].instruction:
            raise RuntimeError("<b>broken</b>")
        return [edit.require() for edit in return_the_truth(CASES).edit(requests)]

    return evaluate_editors({"base": return_the_input, "fine_tuned": editor_of(frail)}, CASES, ColourEncoder())


@pytest.fixture(scope="module")
def report(evaluation: Evaluation) -> Report:
    section = BenchmarkSection(summary=summarise(evaluation, "test"), evaluation=evaluation, description="Made up.")
    return Report(
        title="A <report>",
        sections=[section],
        loss_curve=[(i, 1 / (i + 1)) for i in range(50)],
        splits={"train": 1234, "test": 5},
        stages={"captions": StageResult(num_in=10, num_out=7, rejected={"duplicate-url": 2, "unsafe": 1})},
        provenance={"Models": {"clip": "colour histogram"}},
        notes=["A note."],
    )


class Outline(HTMLParser):
    """Collects what a page refers to and which tags are left open."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.open: list[str] = []
        self.tags: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "data", "srcset")]
        if tag not in ("meta", "link", "img", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_report_refers_to_nothing_outside_itself_and_is_well_formed(report: Report) -> None:
    html = render_report(report)
    outline = Outline(html)
    assert outline.open == []
    assert all(link.startswith("data:") for link in outline.links)
    assert not re.search(r"https?://|@import|url\(|<script", html)


def test_the_report_shows_every_category_stage_reason_note_and_failure(report: Report) -> None:
    html = render_report(report)
    for text in (
        *CATEGORIES,
        "1,234",
        "duplicate-url",
        "A note.",
        "colour histogram",
        "Fine-tuned: crashed × 1",
        "+0.94",
    ):
        assert text in html
    assert html.count("<figure>") == 16
    assert "Fine-tuning takes the share of right edits from 0 % to 94 % over 16 edits" in html


def test_texts_of_data_and_models_are_escaped(report: Report) -> None:
    html = render_report(report)
    assert "A &lt;report&gt;" in html
    assert "<b>broken" not in html


def test_equal_reports_are_equal_bytes_and_nothing_temporary_stays(report: Report, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_report(tmp_path / name / "report.html", report)
    assert (tmp_path / "a/report.html").read_bytes() == (tmp_path / "b/report.html").read_bytes()
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["report.html"]


def test_a_report_of_one_editor_and_nothing_else_renders() -> None:
    evaluation = evaluate_editors({"mine": return_the_input}, CASES, ColourEncoder(), num_shown_per_category=0)
    html = render_report(
        Report(title="One", sections=[BenchmarkSection(summary=summarise(evaluation, "test"), evaluation=evaluation)])
    )
    assert "mine gets 0 % of 16 edits right." in html
    assert Outline(html).open == []


def test_the_grid_is_a_png_whose_tiles_are_the_images_themselves(evaluation: Evaluation, tmp_path: Path) -> None:
    path = tmp_path / "grid.png"
    grid_png(path, evaluation.shown[:3], tile=128)
    with Image.open(path) as image:
        assert image.format == "PNG"
        pixels = np.asarray(image)
    truth = evaluation.shown[0].case.true_output.repeat(2, axis=0).repeat(2, axis=1)
    assert np.array_equal(pixels[36 : 36 + 128, -140:-12], truth)
