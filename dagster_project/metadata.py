"""What a person wants to see of a materialization, as Dagster metadata."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dagster as dg

from editfoundry.data.stage import StageResult

OWNERS = ["team:editfoundry"]


def counts(result: StageResult) -> dict[str, Any]:
    """Return a stage's counts: in, derived, out, rejected by reason, shards and how many of them were reused."""
    return {
        "num_in": result.num_in,
        "num_derived": result.num_derived,
        "num_out": result.num_out,
        "num_rejected": result.num_rejected,
        "rejected_by_reason": dict(result.rejected),
        "num_shards": result.num_shards,
        "num_shards_reused": result.num_shards_reused,
        "dagster/row_count": result.num_out,
        **result.totals,
    }


def thumbnails(folder: Path) -> dg.MarkdownMetadataValue:
    """Return the first triplets of a folder as one picture in Markdown: input left, output right."""
    from editfoundry.data.thumbnails import markdown_image, thumbnail_sheet

    return dg.MetadataValue.md(markdown_image(thumbnail_sheet(folder), "input, output and instruction"))


def curve(points: Sequence[tuple[int, float]], name: str) -> dg.TableMetadataValue:
    """Return a training curve as a table of at most 20 rows, the last point always among them."""
    every = max(1, len(points) // 20)
    shown = [*points[:-1:every], *points[-1:]]
    return dg.MetadataValue.table([dg.TableRecord({"step": int(step), name: float(value)}) for step, value in shown])
