"""Captions, and quadruples: what the picture shows, what happens to it, what it shows then, what must change."""

from collections.abc import Iterator

import dagster as dg

from dagster_project.defs.resources import Foundry
from dagster_project.metadata import OWNERS, counts
from editfoundry import lineage
from editfoundry.data.record import Caption, Quadruple
from editfoundry.data.tables import read_rows

NUM_EXAMPLES = 8


@dg.asset(group_name="sources", owners=OWNERS, kinds={"parquet"})
def captions(foundry: Foundry) -> dg.MaterializeResult:
    """Captions of a LAION-schema table, without duplicates, unsafe and watermarked rows."""
    result = lineage.captions(foundry.params, foundry.folder)
    rows = read_rows(foundry.paths.captions, Caption)
    examples = [f"- {row.caption}" for row, _ in zip(rows, range(NUM_EXAMPLES), strict=False)]
    return dg.MaterializeResult(
        metadata={
            **counts(result),
            "folder": dg.MetadataValue.path(foundry.paths.captions),
            "examples": dg.MetadataValue.md("\n".join(examples)),
        }
    )


@dg.asset(group_name="sources", owners=OWNERS, kinds={"parquet"}, deps=["captions"])
def quadruples(foundry: Foundry) -> dg.MaterializeResult:
    """World instructions: input caption, instruction, output caption, and the keywords of what must change."""
    result = lineage.quadruples(foundry.params, foundry.folder)
    rows = read_rows(foundry.paths.quadruples, Quadruple)
    return dg.MaterializeResult(
        metadata={
            **counts(result),
            "folder": dg.MetadataValue.path(foundry.paths.quadruples),
            "examples": dg.MetadataValue.table(list(_examples(rows))),
        }
    )


def _examples(rows: Iterator[Quadruple]) -> Iterator[dg.TableRecord]:
    for row, _ in zip(rows, range(NUM_EXAMPLES), strict=False):
        keywords = " ".join(row.keywords)
        yield dg.TableRecord(
            {
                "category": row.category,
                "input_caption": row.input_caption,
                "instruction": row.instruction,
                "output_caption": row.output_caption,
                "keywords": keywords,
            }
        )
