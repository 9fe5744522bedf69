"""What a person wants to see of a materialization, as Dagster metadata."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import dagster as dg

from editfoundry.data.stage_result import StageResult

OWNERS = ["team:editfoundry"]
NUM_BINS = 10
_BAR = 24
"""Characters of a histogram's longest bar."""


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


def column_schema(folder: Path) -> dict[str, Any]:
    """Return the columns of a folder's first Parquet table or index; nothing where it, and its folders, have none."""
    import pyarrow.parquet as pq

    tables = sorted(p for p in folder.glob("**/*.parquet") if not p.name.endswith(".rejected.parquet"))
    if not tables:
        return {}
    columns = [
        dg.TableColumn(field.name, str(field.type), constraints=dg.TableColumnConstraints(nullable=field.nullable))
        for field in pq.read_schema(tables[0])
    ]
    return {"dagster/column_schema": dg.TableSchema(columns)}


def mlflow_link(root: Path) -> dg.MetadataValue:
    """Return where the runs are: MLflow's page where EDITFOUNDRY_MLFLOW_URL names it, else the tracking store."""
    from editfoundry.tracking.mlflow_client import PAGE_VARIABLE, default_tracking_uri, experiments_url

    page = os.environ.get(PAGE_VARIABLE)
    return dg.MetadataValue.url(experiments_url(page)) if page else dg.MetadataValue.text(default_tracking_uri(root))


def mlflow_run_link(run_id: str, root: Path) -> dg.MetadataValue:
    """Return the page of a run where a server shows it, else the run's id."""
    from editfoundry.tracking.mlflow_client import run_url

    page = run_url(run_id, root)
    return dg.MetadataValue.url(page) if page else dg.MetadataValue.text(run_id)


def thumbnails(folder: Path) -> dg.MarkdownMetadataValue:
    """Return the first triplets of a folder as one picture in Markdown: input left, output right."""
    from editfoundry.data.thumbnails import markdown_image, thumbnail_sheet

    return dg.MetadataValue.md(markdown_image(thumbnail_sheet(folder), "input, output and instruction"))


def curve(points: Sequence[tuple[int, float]], name: str) -> dg.TableMetadataValue:
    """Return a training curve as a table of at most 20 rows, the last point always among them."""
    every = max(1, len(points) // 20)
    shown = [*points[:-1:every], *points[-1:]]
    return dg.MetadataValue.table([dg.TableRecord({"step": int(step), name: float(value)}) for step, value in shown])


def shares(names: Iterable[str]) -> dg.TableMetadataValue:
    """Return how often each name occurs, the most frequent first, as a table."""
    from collections import Counter

    counted = Counter(names)
    rows = [
        dg.TableRecord({"category": name or "(none)", "count": count, "share": round(count / counted.total(), 3)})
        for name, count in counted.most_common()
    ]
    return dg.MetadataValue.table(rows)


def histograms(scores: Iterable[Mapping[str, float | None]]) -> dg.TableMetadataValue:
    """Return a histogram of each score as rows of one table, with bars drawn as text.

    Args:
        scores: one mapping of names to values for each record; missing and None are left out.
    """
    import numpy as np

    values: dict[str, list[float]] = {}
    for record in scores:
        for name, value in record.items():
            if value is not None:
                values.setdefault(name, []).append(float(value))
    rows = []
    for name in sorted(values):
        heights, edges = np.histogram(values[name], bins=NUM_BINS)
        for height, low, high in zip(heights, edges[:-1], edges[1:], strict=True):
            bar = "█" * round(_BAR * int(height) / int(heights.max()))
            cells: dict[str, Any] = {"score": name, "from": round(float(low), 3), "to": round(float(high), 3)}
            rows.append(dg.TableRecord({**cells, "count": int(height), "histogram": bar}))
    return dg.MetadataValue.table(rows)
