"""Turns a plain folder of videos into shards of clips: whole files, or the shots that PySceneDetect finds in them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from editfoundry.data.hashing import input_hash
from editfoundry.data.nothing_kept import require_something_kept
from editfoundry.data.record import Clip
from editfoundry.data.rejections import RejectedRow
from editfoundry.data.stage_result import StageResult
from editfoundry.data.videos import open_video
from editfoundry.errors import BadInputError, Rejection, one_line
from editfoundry.execution.progress import Progress
from editfoundry.execution.runner import run_stage
from editfoundry.execution.shard_stage import Shard, ShardStage
from editfoundry.execution.shard_store import RowStore, ShardNotes
from editfoundry.sources.video_files import fingerprint, video_files

STAGE = "clips"


@dataclass(frozen=True)
class VideoFolderStage(ShardStage[list[Path], None, Clip]):
    """Clips of so many video files a shard."""

    source: Path
    """Folder, with whatever folders in it."""
    parts: str
    files_per_shard: int
    min_shot_seconds: float

    name: ClassVar[str] = STAGE
    store: ClassVar[RowStore[Clip]] = RowStore(Clip, with_counts=True)

    def shards(self) -> list[Shard[list[Path]]]:
        """Find the videos."""
        files = video_files(self.source)
        if not files:
            raise BadInputError(f"{self.source}: no videos here")
        size = self.files_per_shard
        parts = [files[start : start + size] for start in range(0, len(files), size)]
        return [Shard(f"{number:05d}", part, len(part)) for number, part in enumerate(parts)]

    def digest(self, shard: Shard[list[Path]], target: Path) -> str:
        """Hash the files' names and fingerprints and how they are cut."""
        prints = [(self._name(path), fingerprint(path)) for path in shard.source]
        return input_hash("videos", prints, self.parts, self.min_shot_seconds)

    def setup(self) -> None:
        """Load nothing."""

    def process(self, models: None, shard: Shard[list[Path]], target: Path, notes: ShardNotes) -> Iterator[Clip]:
        """Yield the clips of each file that can be opened."""
        for path in shard.source:
            name = self._name(path)
            try:
                ranges = _ranges(path, self.parts, self.min_shot_seconds)
            except Rejection as error:
                notes.rejected.append(RejectedRow(name, error.reason, error.detail, {"video": name}))
                continue
            notes.num_derived += len(ranges) - 1
            video, mark = os.path.relpath(path.resolve(), target.parent.resolve()), fingerprint(path)
            for start, end in ranges:
                yield Clip(video=video, video_id=name, start=start, end=end, fingerprint=mark)

    def _name(self, path: Path) -> str:
        return path.relative_to(self.source).as_posix()


def convert_video_folder(
    videos: Path,
    output: Path,
    parts: str = "whole",
    files_per_shard: int = 100,
    min_shot_seconds: float = 1.0,
    progress: Progress | None = None,
    only: str | None = None,
    replace: bool = False,
) -> StageResult:
    """Write the clips of a folder's videos, and the files that cannot be opened beside them.

    Args:
        videos: folder, with whatever folders in it.
        output: folder of the shards; made if absent.
        parts: ``whole`` takes each file as one clip; ``shots`` finds its shots, which decodes it once.
        files_per_shard: files read for each shard.
        min_shot_seconds: shorter shots are left out.
        progress: called with files done and files in all.
        only: a shard to work on alone.
        replace: whether clips of other videos may be replaced.

    Raises:
        BadInputError: no videos there, or ``output`` holds something else.
    """
    if parts not in ("whole", "shots") or files_per_shard < 1:
        raise BadInputError(f"parts is {parts!r}, files_per_shard {files_per_shard}: use whole or shots, and 1 or more")
    stage = VideoFolderStage(videos, parts, files_per_shard, min_shot_seconds)
    made = run_stage(stage, output, only=only, progress=progress, replace=replace)
    return made if only is not None else require_something_kept(made, videos)


def _ranges(path: Path, parts: str, min_shot_seconds: float) -> list[tuple[float, float | None]]:
    with open_video(path):
        if parts == "whole":
            return [(0.0, None)]
    return _shots(path, min_shot_seconds)


def _shots(path: Path, min_shot_seconds: float) -> list[tuple[float, float | None]]:
    from scenedetect import AdaptiveDetector, SceneManager
    from scenedetect.backends import VideoStreamAv

    try:
        stream = VideoStreamAv(str(path.resolve()))
        manager = SceneManager()
        manager.add_detector(AdaptiveDetector())
        manager.detect_scenes(stream, show_progress=False)
        scenes = manager.get_scene_list(start_in_scene=True)
    except Exception as error:  # Its backend raises whatever its decoder does.
        raise Rejection("unreadable", one_line(error, 200)) from error
    ranges = [(start.seconds, end.seconds) for start, end in scenes]
    kept: list[tuple[float, float | None]] = [(a, b) for a, b in ranges if b - a >= min_shot_seconds]
    if not kept:
        raise Rejection("too short", f"{len(ranges)} shots, none of {min_shot_seconds:g} s")
    return kept
