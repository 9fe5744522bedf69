"""Turns an InternVid-schema table and a folder of videos into shards of clips (EditWorld, video branch)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain, count, islice
from pathlib import Path
from typing import Any, ClassVar

from editfoundry.data.hashing import file_hash, input_hash
from editfoundry.data.nothing_kept import require_something_kept
from editfoundry.data.output_folder import input_of
from editfoundry.data.record import Clip
from editfoundry.data.rejections import RejectedRow
from editfoundry.data.stage_result import StageResult
from editfoundry.data.tables import read_rows
from editfoundry.errors import BadInputError, Rejection
from editfoundry.execution.progress import Progress
from editfoundry.execution.runner import run_stage
from editfoundry.execution.shard_stage import Shard, ShardStage
from editfoundry.execution.shard_store import RowStore, ShardNotes
from editfoundry.sources.columns import printable
from editfoundry.sources.downloads import Downloader
from editfoundry.sources.internvid_columns import InternVidRow, clip_values, parse_clip_row, resolve_clip_columns
from editfoundry.sources.internvid_filters import InternVidFilters
from editfoundry.sources.row_ranges import num_table_rows
from editfoundry.sources.table_reader import TableRow, missing_column, read_table_rows, table_columns, table_files
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


@dataclass(frozen=True)
class InternVidStage(ShardStage[list[TableRow], None, Clip]):
    """Clips of so many rows of a table a shard; of equal clips the first one wins."""

    source: Path
    """The table."""
    videos: _Source
    filters: InternVidFilters
    rows_per_shard: int
    limit: int | None = None
    seen: set[str] = field(default_factory=set)
    """Ids of the clips of the shards so far."""

    name: ClassVar[str] = STAGE
    store: ClassVar[RowStore[Clip]] = RowStore(Clip, with_counts=True)
    sequential: ClassVar[bool] = True

    @cached_property
    def _files(self) -> list[Path]:
        return table_files(self.source)

    @cached_property
    def _table_digest(self) -> str:
        hashes = [(path.name, file_hash(path)) for path in self._files]
        return input_hash("internvid", hashes, self.filters, self.rows_per_shard)

    def shards(self) -> Iterator[Shard[list[TableRow]]]:
        """Read the table, a shard's rows at a time."""
        for path in self._files:
            _check_columns(path)
        rows = islice(
            chain.from_iterable(read_table_rows(path, resolve_clip_columns) for path in self._files), self.limit
        )
        for number in count():
            part = list(islice(rows, self.rows_per_shard))
            if not part and number == 0:
                raise BadInputError(f"{self.source}: has no rows")
            if not part:
                return
            yield Shard(f"{number:05d}", part, len(part))

    def num_records(self) -> int | None:
        """Return the number of the table's rows, where they are counted without reading them."""
        return num_table_rows(self._files, self.limit)

    def digest(self, shard: Shard[list[TableRow]], target: Path) -> str:
        """Hash the table, the filters, the video files as they are now and the clips so far."""
        # With a downloader, what is missing may come now; what was tried in vain is remembered by the downloader.
        if self.videos.downloader is not None:
            for row in shard.source:
                _fetch_wanted(row, self.videos, self.filters)
        there = sorted({_file_identity(self.videos, row) for row in shard.source})
        return input_hash(self._table_digest, int(shard.name), len(shard.source), there, sorted(self.seen))

    def setup(self) -> None:
        """Load nothing."""

    def process(self, models: None, shard: Shard[list[TableRow]], target: Path, notes: ShardNotes) -> Iterator[Clip]:
        """Yield the clips that the filters keep and whose video is there."""
        for row in shard.source:
            try:
                clip = _clip(row, target.parent, self.videos, self.filters)
                if clip.id in self.seen:
                    raise Rejection("duplicate clip", clip.id)
            except Rejection as rejection:
                notes.rejected.append(_rejected_row(row, rejection))
                continue
            self.seen.add(clip.id)
            yield clip

    def recall(self, shard: Shard[list[TableRow]], target: Path) -> None:
        """Remember the clips of a shard that is there."""
        self.seen.update(clip.id for clip in read_rows(target, Clip))

    def made_of(self, output: Path) -> str:
        """Return the table."""
        return input_of(self.source, output)


def convert_internvid(
    table: Path,
    videos: Path,
    output: Path,
    filters: InternVidFilters | None = None,
    rows_per_shard: int = 1000,
    limit: int | None = None,
    downloader: Downloader | None = None,
    progress: Progress | None = None,
    only: str | None = None,
    replace: bool = False,
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
        progress: called with rows done and rows in all, of Parquet tables.
        only: a shard to make alone; those before it must be there.
        replace: whether clips of another table may be replaced.

    Raises:
        BadInputError: no such table or folder, no id or time column, or ``output`` holds something else.
    """
    filters = filters or InternVidFilters()
    if rows_per_shard < 1 or (limit is not None and limit < 1):
        raise BadInputError(f"rows_per_shard ({rows_per_shard}) and limit ({limit}) must be at least 1")
    if downloader is not None:
        table_files(table)
        videos.mkdir(parents=True, exist_ok=True)
    where = _Source(videos, videos_by_id(videos), downloader)
    stage = InternVidStage(table, where, filters, rows_per_shard, limit)
    made = run_stage(stage, output, only=only, progress=progress, replace=replace)
    return made if only is not None else require_something_kept(made, table)


def _clip(row: TableRow, output: Path, source: _Source, filters: InternVidFilters) -> Clip:
    parsed = _checked(row, filters)
    path = source.find(parsed.video_id)
    return Clip(
        video=os.path.relpath(path.resolve(), output.resolve()),
        video_id=parsed.video_id,
        start=parsed.start,
        end=parsed.end,
        caption=parsed.caption,
        aesthetic_score=parsed.aesthetic_score,
        umt_score=parsed.umt_score,
        fingerprint=fingerprint(path),
    )


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
        raise missing_column(path, names, f"column for {missing[0]} (YoutubeID, Start_timestamp, ...)")
