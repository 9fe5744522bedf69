"""Works on one source shard: its table goes through every stage that takes source shards."""

from __future__ import annotations

from pathlib import Path

from editfoundry.data.stage_result import StageResult
from editfoundry.execution.stage_record import Progress, StageParams
from editfoundry.lineage.stages import STAGES, Paths, run_stage


def make_source_shard(
    params: StageParams, root: Path, shard: str, address: str | None = None, progress: Progress | None = None
) -> dict[str, StageResult]:
    """Make the shards named ``shard`` of every stage that takes source shards, the same bytes as the whole stages do.

    The whole stages find them done. What is there already, made of the same table and parameters, is reused.

    Args:
        params: of the stages.
        root: the project's folder; the table lies in its ``data/incoming``.
        shard: the source shard's name.
        address: ``s3://bucket/prefix`` that the table is copied from, if it is there.
        progress: told how far each stage is.

    Returns:
        Stage -> its counts of this shard.

    Raises:
        BadInputError: there is no table of that name, or it cannot be used.
        UnavailableError: the language model did not answer for now.
    """
    from editfoundry.sources.incoming import fetch_table, incoming_tables

    table = incoming_tables(address).get(shard) if address else None
    if table is not None:
        fetch_table(table, Paths(root).incoming)
    results = {}
    for stage in STAGES:
        if stage.takes_source_shards:
            result = run_stage(stage.name, params, root, progress, shard)
            if isinstance(result, StageResult):
                results[stage.name] = result
    return results
