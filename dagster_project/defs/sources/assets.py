"""Clips; captions, and quadruples: what the picture shows, what happens to it, what it shows then, what must change."""

from collections.abc import Mapping
from itertools import islice
from typing import Any

import dagster as dg

from dagster_project.defs.resources import DvcRepository, Foundry
from dagster_project.metadata import shares
from dagster_project.stage_asset import CPU_POOL, GPU_POOL, StageConfig, StageRun, materialize_stage, stage_options
from editfoundry.data.record import Caption, Clip, Quadruple

NUM_EXAMPLES = 8


@dg.asset(**stage_options("sources", kinds={"parquet"}, pool=CPU_POOL))
def captions(
    context: dg.AssetExecutionContext, config: StageConfig, foundry: Foundry, dvc: DvcRepository
) -> dg.MaterializeResult:
    """Captions of LAION-schema tables, without duplicates, unsafe and watermarked rows."""
    return materialize_stage(context, config, foundry, dvc, show=_show_captions)


@dg.asset(**stage_options("sources", kinds={"parquet"}, pool=GPU_POOL, deps=["captions"]))
def quadruples(
    context: dg.AssetExecutionContext, config: StageConfig, foundry: Foundry, dvc: DvcRepository
) -> dg.MaterializeResult:
    """World instructions: input caption, instruction, output caption, and the keywords of what must change."""
    return materialize_stage(context, config, foundry, dvc, show=_show_quadruples)


@dg.asset(**stage_options("sources", kinds={"parquet"}, pool=CPU_POOL))
def clips(
    context: dg.AssetExecutionContext, config: StageConfig, foundry: Foundry, dvc: DvcRepository
) -> dg.MaterializeResult:
    """Clips of InternVid-schema tables: files and ranges of seconds."""
    return materialize_stage(context, config, foundry, dvc, show=_show_clips)


def _show_captions(run: StageRun) -> Mapping[str, Any]:
    from editfoundry.data.tables import read_rows

    examples = [f"- {row.caption}" for row in islice(read_rows(run.folder, Caption), NUM_EXAMPLES)]
    return {"examples": dg.MetadataValue.md("\n".join(examples))}


def _show_clips(run: StageRun) -> Mapping[str, Any]:
    from editfoundry.data.tables import read_rows

    examples = [
        f"- {row.video_id} {row.start:.2f} s: {row.caption}"
        for row in islice(read_rows(run.folder, Clip), NUM_EXAMPLES)
    ]
    return {"examples": dg.MetadataValue.md("\n".join(examples))}


def _show_quadruples(run: StageRun) -> Mapping[str, Any]:
    from editfoundry.data.tables import read_rows

    examples = [_example(row) for row in islice(read_rows(run.folder, Quadruple), NUM_EXAMPLES)]
    return {
        "examples": dg.MetadataValue.table(examples),
        "categories": shares(row.category for row in read_rows(run.folder, Quadruple)),
    }


def _example(row: Quadruple) -> dg.TableRecord:
    return dg.TableRecord(
        {
            "category": row.category,
            "input_caption": row.input_caption,
            "instruction": row.instruction,
            "output_caption": row.output_caption,
            "keywords": " ".join(row.keywords),
        }
    )
