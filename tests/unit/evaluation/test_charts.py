import xml.etree.ElementTree as ElementTree

import pytest

from editfoundry.evaluation.charts import axis_range, curve_svg, dots_svg, nice_ticks


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (0.18, 0.31, [0.2, 0.25, 0.3]),
        (0, 4000, [0, 1000, 2000, 3000, 4000]),
        (3, 3, [3]),
    ],
)
def test_ticks_are_round_numbers_inside_the_range(low: float, high: float, ticks: list[float]) -> None:
    assert nice_ticks(low, high) == pytest.approx(ticks)


def test_a_row_places_each_dot_at_its_share_of_the_axis_and_skips_missing_ones() -> None:
    interval = {"value": 0.25, "low": 0.1, "high": 0.4, "n": 9}
    missing = {"value": None, "low": None, "high": None, "n": 0}
    svg = ElementTree.fromstring(dots_svg([("s0", interval), ("s1", missing)], (0.0, 1.0), 'a "label" & more'))
    assert [c.get("cx") for c in svg.iter("circle")] == ["25.00%"]
    assert svg.get("aria-label") == 'a "label" & more'


def test_the_curve_is_thinned_and_survives_values_that_are_not_finite() -> None:
    curve = [(i, 1 / (i + 1)) for i in range(5000)] + [(5000, float("nan")), (5001, float("inf"))]
    root = ElementTree.fromstring(f"<p>{curve_svg(curve)}</p>")
    lines = [e.get("points", "").split() for e in root.iter("polyline")]
    assert len(lines) == 2
    assert all(300 < len(points) <= 400 for points in lines)
    assert "nan" not in str(curve_svg(curve)).lower()


def test_a_curve_of_one_value_is_no_curve() -> None:
    assert curve_svg([(0, 1.0)]) == ""


def test_the_range_of_a_chart_holds_every_interval() -> None:
    low, high = axis_range([{"value": 1.0, "low": 0.5, "high": 2.0}, {"value": None, "low": None, "high": None}])
    assert low < 0.5 and high > 2.0
