"""Works on one source shard: its table's captions, their quadruples, their triplets."""

from __future__ import annotations

from pathlib import Path

from editfoundry.data.stage import StageResult
from editfoundry.lineage import stages as lineage
from editfoundry.lineage.stages import Params, Paths, Progress


def make_source_shard(
    params: Params, root: Path, shard: str, address: str | None = None, progress: Progress | None = None
) -> dict[str, StageResult]:
    """Make the shards named ``shard`` of captions, quadruples and triplets, the same bytes as the whole stages do.

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

    paths = Paths(root)
    table = incoming_tables(address).get(shard) if address else None
    if table is not None:
        fetch_table(table, paths.incoming)
    return {
        "captions": lineage.take_in_captions(params, paths.incoming, paths.captions, shard),
        "quadruples": lineage.quadruples(params, root, progress, shard),
        "editworld_text": lineage.editworld_text(params, root, progress, shard),
    }
