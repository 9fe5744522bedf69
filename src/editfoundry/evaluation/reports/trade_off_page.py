"""The page of a trade-off: the curves, and the figures behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from editfoundry.evaluation.made_by import MadeBy
from editfoundry.evaluation.reports.curve_chart import Curve, curves_svg
from editfoundry.evaluation.reports.inlined_pictures import ShownItem
from editfoundry.evaluation.reports.metric_text import range_text, value_text
from editfoundry.evaluation.reports.page import render_page, series_css
from editfoundry.evaluation.reports.report_tables import Cell, Row, Table

X, Y = "clip_direction", "clip_image"
"""The paper's axes: directional similarity, and image similarity of input and edit."""


def render_trade_off(trade_off: Mapping[str, Any], shown: Sequence[ShownItem] = (), made: MadeBy | None = None) -> str:
    """Return the trade-off's HTML page; see `sweep_view`. ``made`` is said at the head."""
    return render_page("trade_off.html.j2", {"sweep": sweep_view(trade_off, shown), "made": made or MadeBy()})


def sweep_view(trade_off: Mapping[str, Any], shown: Sequence[ShownItem] = ()) -> dict[str, Any]:
    """Return what the template of a trade-off's sections shows.

    Args:
        trade_off: what ``trade_off.json`` holds.
        shown: figures of a few items, each editor at each scale.
    """
    curves = [
        Curve(
            title=editor,
            css=series_css(place),
            labels=tuple(f"s_I {p['image_guidance_scale']:g}" for p in points),
            x=tuple(p[X] for p in points),
            y=tuple(p[Y] for p in points),
        )
        for place, (editor, points) in enumerate(trade_off["curves"].items())
    ]
    label = "CLIP image similarity against CLIP directional similarity, one line for each editor"
    return {
        "trade_off": trade_off,
        "curves": curves,
        "chart": curves_svg(curves, label),
        "tables": [_table(editor, points) for editor, points in trade_off["curves"].items()],
        "failed": {e: sum(p["num_failed"] for p in points) for e, points in trade_off["curves"].items()},
        "shown": shown,
    }


def _table(editor: str, points: Sequence[Mapping[str, Any]]) -> Table:
    rows = [
        Row(
            label=f"s_I {p['image_guidance_scale']:g}",
            cells=tuple(
                Cell(text=value_text({}, p[m]["value"]), range=range_text({}, p[m]), n=p[m]["n"]) for m in (X, Y)
            ),
        )
        for p in points
    ]
    return Table(title=editor, columns=("directional similarity", "image similarity"), rows=tuple(rows))
