"""What a person wants to see of a materialization, as Dagster metadata."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import dagster as dg
from PIL import Image

from dagster_project.plots import curve_picture, histogram_picture
from dagster_project.rounding import rounded
from editfoundry.data.stage_result import StageResult

OWNERS = ["team:editfoundry"]
_MARKS, _ESCAPED = re.compile(r"([\\`*_{}\[\]()<>#+!|~&:-])"), r"\\\1"
"""What has a meaning in Markdown, and how it is written so that it has none."""


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
    """Return what the columns of a folder's first Parquet table or index hold; nothing where there is none."""
    import pyarrow.parquet as pq

    from editfoundry.data.column_descriptions import column_descriptions

    tables = sorted(p for p in folder.glob("**/*.parquet") if not p.name.endswith(".rejected.parquet"))
    if not tables:
        return {}
    schema = pq.read_schema(tables[0])
    told = column_descriptions(schema.names)
    columns = [
        dg.TableColumn(
            field.name,
            str(field.type),
            description=told.get(field.name),
            constraints=dg.TableColumnConstraints(nullable=field.nullable),
        )
        for field in schema
    ]
    return {"dagster/column_schema": dg.TableSchema(columns)}


def table(rows: Iterable[Mapping[str, Any]], columns: Mapping[str, str]) -> dg.TableMetadataValue:
    """Return a table whose numbers are rounded and whose columns say what they hold.

    Args:
        rows: name of a column -> text or number or None; each row has all columns.
        columns: name of a column, in order -> what it holds.
    """
    records = [rounded(row) for row in rows]
    schema = [dg.TableColumn(name, _type_of(records, name), description=told) for name, told in columns.items()]
    return dg.MetadataValue.table([dg.TableRecord(row) for row in records], schema=dg.TableSchema(schema))


def text_list(texts: Iterable[str]) -> dg.MarkdownMetadataValue:
    """Return texts as a list. They come from anywhere, so nothing in them counts as Markdown: no picture is fetched."""
    return dg.MetadataValue.md("\n".join(f"- {_MARKS.sub(_ESCAPED, ' '.join(text.split()))}" for text in texts))


def picture(image: Image.Image, description: str) -> dg.MarkdownMetadataValue:
    """Return an image as Markdown that needs no file beside it."""
    from editfoundry.data.thumbnails import markdown_image

    return dg.MetadataValue.md(markdown_image(image, description))


def thumbnails(folder: Path) -> dg.MarkdownMetadataValue:
    """Return the first triplets of a folder as one picture: input left, output right."""
    from editfoundry.data.thumbnails import thumbnail_sheet

    return picture(thumbnail_sheet(folder), "input, output and instruction")


def curves(drawn: Mapping[str, Sequence[tuple[int, float]]], title: str) -> dg.MarkdownMetadataValue:
    """Return curves over the steps of a training as a picture, see `curve_picture`."""
    return picture(curve_picture(drawn, title), title)


def shares(names: Iterable[str]) -> dg.TableMetadataValue:
    """Return how often each name occurs, the most frequent first, as a table."""
    counted = Counter(names)
    return table(
        (
            {"category": name or "(none)", "count": count, "share": count / counted.total()}
            for name, count in counted.most_common()
        ),
        {"category": "What the edit is.", "count": "How many have it.", "share": "Of all, 0 to 1."},
    )


def distributions(records: Iterable[Mapping[str, float | None]], name: str) -> dict[str, Any]:
    """Return a histogram of each number that records have, as one picture, and their extremes and means as a table.

    Args:
        records: one mapping of names to values for each; missing, None and what is no finite number are left out.
        name: of the picture; the table is called ``<name>_summary``.
    """
    values: dict[str, list[float]] = {}
    for record in records:
        for key, value in record.items():
            if value is not None and math.isfinite(value):
                values.setdefault(key, []).append(float(value))
    rows = [
        {"name": key, "count": len(found), "lowest": min(found), "mean": fmean(found), "highest": max(found)}
        for key, found in sorted(values.items())
    ]
    columns = {
        "name": "What was measured.",
        "count": "How many have a value.",
        "lowest": "Of all values.",
        "mean": "Of all values.",
        "highest": "Of all values.",
    }
    drawn = {name: picture(histogram_picture(values), f"histograms: {name}")} if values else {}
    return {**drawn, f"{name}_summary": table(rows, columns)}


def _type_of(records: Sequence[Mapping[str, Any]], column: str) -> str:
    value = next((record[column] for record in records if record[column] is not None), None)
    kinds = {bool: "bool", int: "int", float: "float"}
    return kinds.get(type(value), "string")
