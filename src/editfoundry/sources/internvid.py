"""Turns an InternVid-schema table and a folder of videos into shards of clips (EditWorld, video branch)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

from editfoundry.data.hashing import file_hash, input_hash
from editfoundry.data.nothing_kept import require_something_kept
from editfoundry.data.output_folder import claim_output
from editfoundry.data.record import Clip
from editfoundry.data.rejections import RejectedRow
from editfoundry.data.stage import StageResult, add_up
from editfoundry.errors import BadInputError, Rejection
from editfoundry.sources.clip_shards import remove_shards_from, reused_clips, shard_path, store_clips
from editfoundry.sources.columns import printable
from editfoundry.sources.downloads import Downloader
from editfoundry.sources.internvid_columns import InternVidRow, clip_values, parse_clip_row, resolve_clip_columns
from editfoundry.sources.internvid_filters import InternVidFilters
from editfoundry.sources.table_reader import TableRow, read_table_rows, table_columns, table_files
from editfoundry.sources.video_files import fingerprint, videos_by_id

STAGE = "clips"


@dataclass(frozen=True)
class _Source:
    """Where videos come from."""

    folder: Path
    files: Mapping[str, Path]
    downloader: Downloader | None

    def find(self, video_id: str) -> Path:
        if video_id in self.files:
            return self.files[video_id]
        if self.downloader is None:
            raise Rejection("video not found", f"no file named {video_id}.* in {self.folder.name}")
        return self.downloader.fetch(video_id)


def convert_internvid(
    table: Path,
    videos: Path,
    output: Path,
    filters: InternVidFilters | None = None,
    rows_per_shard: int = 1000,
    limit: int | None = None,
    downloader: Downloader | None = None,
) -> StageResult:
    """Write a table's usable rows to ``output/00000.parquet``, ..., as clips, and the rest beside them with reasons.

    Nothing is cut or encoded: a clip is a file and a range of seconds. A shard that is there is reused when it was
    made of the same rows, parameters and video files; what a download brought since makes it anew.

    Args:
        table: ``YoutubeID Start_timestamp End_timestamp Caption Aesthetic_Score UMT_Score`` as JSONL, CSV, TSV or
            Parquet, or a folder of Parquet parts.
        videos: folder of the files, each named by its id.
        output: folder; made if absent.
        filters: what a row must be like.
        rows_per_shard: rows read for each shard.
        limit: read at most so many rows; None for all.
        downloader: fetches what is not there; None makes those rows rejections.

    Raises:
        BadInputError: no such table or folder, no id or time column, or ``output`` holds something else.
    """
    filters = filters or InternVidFilters()
    if rows_per_shard < 1 or (limit is not None and limit < 1):
        raise BadInputError(f"rows_per_shard ({rows_per_shard}) and limit ({limit}) must be at least 1")
    files = table_files(table)
    for path in files:
        _check_columns(path)
    if downloader is not None:
        videos.mkdir(parents=True, exist_ok=True)
    source = _Source(videos, videos_by_id(videos), downloader)
    claim_output(output, STAGE)
    digest = input_hash("internvid", [(path.name, file_hash(path)) for path in files], filters, rows_per_shard)
    rows = islice(chain.from_iterable(read_table_rows(path, resolve_clip_columns) for path in files), limit)
    results: list[StageResult] = []
    seen: set[str] = set()
    while part := list(islice(rows, rows_per_shard)):
        results.append(_shard(part, len(results), output, source, filters, digest, seen))
    if not results:
        raise BadInputError(f"{table}: has no rows")
    remove_shards_from(output, len(results))
    return require_something_kept(add_up(results), table)


def _shard(
    rows: list[TableRow],
    number: int,
    output: Path,
    source: _Source,
    filters: InternVidFilters,
    digest: str,
    seen: set[str],
) -> StageResult:
    target = shard_path(output, number)
    # With a downloader, what is missing may come now; what was tried in vain is remembered by the downloader.
    if source.downloader is not None:
        for row in rows:
            _fetch_wanted(row, source, filters)
    there = sorted({_file_identity(source, row) for row in rows})
    shard_digest = input_hash(digest, number, len(rows), there, sorted(seen))
    reused = reused_clips(target, shard_digest)
    if reused is not None:
        seen.update(clip.id for clip in reused.clips)
        return reused.result
    kept: list[Clip] = []
    rejected: list[RejectedRow] = []
    for row in rows:
        try:
            clip = _clip(row, output, source, filters)
            if clip.id in seen:
                raise Rejection("duplicate clip", clip.id)
            seen.add(clip.id)
            kept.append(clip)
        except Rejection as rejection:
            rejected.append(_rejected_row(row, rejection))
    return store_clips(target, kept, rejected, shard_digest)


def _clip(row: TableRow, output: Path, source: _Source, filters: InternVidFilters) -> Clip:
    parsed = _checked(row, filters)
    path = source.find(parsed.video_id)
    return Clip(
        video=os.path.relpath(path.resolve(), output.resolve()), video_id=parsed.video_id, start=parsed.start,
        end=parsed.end, caption=parsed.caption, aesthetic_score=parsed.aesthetic_score, umt_score=parsed.umt_score,
        fingerprint=fingerprint(path),
    )  # fmt: skip


def _checked(row: TableRow, filters: InternVidFilters) -> InternVidRow:
    if row.problem:
        raise Rejection("unreadable row", row.problem)
    parsed = parse_clip_row(row.values)
    _at_least("low aesthetic score", parsed.aesthetic_score, filters.min_aesthetic_score)
    _at_least("low umt score", parsed.umt_score, filters.min_umt_score)
    if filters.max_seconds is not None and parsed.end - parsed.start > filters.max_seconds:
        raise Rejection("clip too long", f"{parsed.end - parsed.start:.1f} s")
    return parsed


def _at_least(reason: str, value: float | None, bound: float | None) -> None:
    if bound is None:
        return
    if value is None:
        raise Rejection(f"{reason.removeprefix('low ')} unknown")
    if value < bound:
        raise Rejection(reason, f"{value:g} < {bound:g}")


def _fetch_wanted(row: TableRow, source: _Source, filters: InternVidFilters) -> None:
    try:
        source.find(_checked(row, filters).video_id)
    except Rejection:
        return


def _file_identity(source: _Source, row: TableRow) -> tuple[str, str]:
    try:
        video_id = parse_clip_row(row.values).video_id if not row.problem else ""
        path = source.files.get(video_id) or (source.downloader.there(video_id) if source.downloader else None)
        return video_id, fingerprint(path) if path is not None else ""
    except Rejection:
        return "", ""


def _rejected_row(row: TableRow, rejection: Rejection) -> RejectedRow:
    fields: dict[str, Any] = {role: printable(value) for role, value in clip_values(row.values).items()}
    place = {"table": printable(row.table), "row_number": row.number}
    return RejectedRow(f"{row.table}:{row.number}", rejection.reason, rejection.detail, {**place, **fields})


def _check_columns(path: Path) -> None:
    names = table_columns(path)
    missing = [role for role in ("video_id", "start", "end") if role not in resolve_clip_columns(tuple(names))]
    if names and missing:
        shown = " ".join(", ".join(str(printable(name, 40)) for name in names[:20]).split())
        raise BadInputError(f"{path}: no column for {missing[0]} (YoutubeID, Start_timestamp, ...); it has {shown}")
