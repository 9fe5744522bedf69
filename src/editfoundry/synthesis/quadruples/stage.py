"""The stage ``quadruples``: a shard of quadruples for each shard of captions."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

from editfoundry.data.hashing import input_hash
from editfoundry.data.one_shard import chosen_shards
from editfoundry.data.output_folder import claim_output, remove_other_shards
from editfoundry.data.record import Caption, Quadruple
from editfoundry.data.rejections import RejectedRow, count_by_reason, read_rejections, write_rejections
from editfoundry.data.stage import StageResult, add_up
from editfoundry.data.tables import count_rows, read_rows, stored_metadata, table_is_done, table_paths, write_rows
from editfoundry.errors import Rejection
from editfoundry.synthesis.quadruples.journal import journal_path
from editfoundry.synthesis.quadruples.keywords import check_keywords

STAGE = "quadruples"
SHARD_SUFFIXES = (".parquet", ".jsonl")
"""Of shards, their rejections and their journals."""
QuadrupleWriter = Callable[[Caption], Quadruple]
"""Makes a quadruple of a caption, or raises Rejection."""
Written = tuple[list[Quadruple], list[RejectedRow], dict[str, float]]
"""Quadruples, rejections, and sums to report, such as tokens."""
ShardWriter = Callable[[Path, list[Caption]], Written]
"""Makes a shard of its captions; the path is the shard's."""


def write_quadruples(
    captions: Path, output: Path, writer: QuadrupleWriter, parameters: object, only: str | None = None
) -> StageResult:
    """Turn caption shards into quadruple shards of the same names, redoing only what has changed.

    ``parameters`` is whatever shapes the writer's answers; it goes into the shards' input hashes. ``only`` names a
    shard to work on alone.

    Raises:
        BadInputError: ``captions`` holds no table, or ``output`` holds something else.
    """
    return write_caption_shards(captions, output, partial(_one_by_one, writer), parameters, only=only)


def write_caption_shards(
    captions: Path,
    output: Path,
    write: ShardWriter,
    parameters: object,
    progress: Callable[[int, int], None] | None = None,
    only: str | None = None,
) -> StageResult:
    """As `write_quadruples`, for a writer of whole shards; ``progress`` is told shards done and shards in all."""
    paths = chosen_shards(table_paths(captions), only)
    claim_output(output, STAGE)
    if only is None:
        remove_other_shards(output, {path.stem for path in paths}, SHARD_SUFFIXES)
    results = []
    for number, path in enumerate(paths, start=1):
        target, digest = output / path.name, input_hash(path, parameters)
        if table_is_done(target, digest):
            results.append(reused(target))
        else:
            results.append(store(target, digest, *write(target, list(read_rows(path, Caption)))))
        if progress is not None:
            progress(number, len(paths))
    return add_up(results)


def store(
    target: Path,
    digest: str,
    kept: Sequence[Quadruple],
    rejected: Iterable[RejectedRow],
    totals: dict[str, float] | None = None,
) -> StageResult:
    """Write a shard and its rejections; what a model answered for it is not needed any more."""
    totals = totals or {}
    counts = write_rejections(target, rejected)
    metadata = {"totals": json.dumps(totals, sort_keys=True)} if totals else {}
    write_rows(target, kept, Quadruple, digest, metadata)
    journal_path(target).unlink(missing_ok=True)
    num_in = len(kept) + sum(counts.values())
    return StageResult(num_in=num_in, num_out=len(kept), rejected=counts, totals=totals)


def reused(target: Path) -> StageResult:
    """Return the result of a shard that is there."""
    journal_path(target).unlink(missing_ok=True)
    counts = count_by_reason(read_rejections(target))
    kept = count_rows(target)
    totals = json.loads(stored_metadata(target).get("totals", "{}"))
    return StageResult(
        num_in=kept + sum(counts.values()), num_out=kept, rejected=counts, num_shards_reused=1, totals=totals
    )


def _one_by_one(writer: QuadrupleWriter, target: Path, captions: list[Caption]) -> Written:
    kept: list[Quadruple] = []
    rejected: list[RejectedRow] = []
    for caption in captions:
        try:
            quadruple = writer(caption)
            check_keywords(quadruple.input_caption, quadruple.keywords)
            kept.append(quadruple)
        except Rejection as error:
            rejected.append(RejectedRow(caption.id, error.reason, error.detail, asdict(caption)))
    return kept, rejected, {}
