"""Turns a plain folder of videos into shards of clips: whole files, or the shots that PySceneDetect finds in them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from editfoundry.data.hashing import input_hash
from editfoundry.data.nothing_kept import require_something_kept
from editfoundry.data.output_folder import claim_output
from editfoundry.data.record import Clip
from editfoundry.data.rejections import RejectedRow
from editfoundry.data.stage import StageResult, add_up
from editfoundry.data.videos import open_video
from editfoundry.errors import BadInputError, Rejection
from editfoundry.sources.clip_shards import remove_shards_from, reused_clips, shard_path, store_clips
from editfoundry.sources.video_files import fingerprint, video_files

STAGE = "clips"


def convert_video_folder(
    videos: Path, output: Path, parts: str = "whole", files_per_shard: int = 100, min_shot_seconds: float = 1.0
) -> StageResult:
    """Write the clips of a folder's videos, and the files that cannot be opened beside them.

    Args:
        videos: folder, with whatever folders in it.
        output: folder of the shards; made if absent.
        parts: ``whole`` takes each file as one clip; ``shots`` finds its shots, which decodes it once.
        files_per_shard: files read for each shard.
        min_shot_seconds: shorter shots are left out.

    Raises:
        BadInputError: no videos there, or ``output`` holds something else.
    """
    files = video_files(videos)
    if not files:
        raise BadInputError(f"{videos}: no videos here")
    if parts not in ("whole", "shots") or files_per_shard < 1:
        raise BadInputError(f"parts is {parts!r}, files_per_shard {files_per_shard}: use whole or shots, and 1 or more")
    claim_output(output, STAGE)
    results = []
    for number, paths in enumerate(_batches(files, files_per_shard)):
        prints = [(path.relative_to(videos).as_posix(), fingerprint(path)) for path in paths]
        digest = input_hash("videos", prints, parts, min_shot_seconds)
        target = shard_path(output, number)
        reused = reused_clips(target, digest)
        results.append(reused.result if reused else _shard(target, paths, videos, parts, min_shot_seconds, digest))
    remove_shards_from(output, len(results))
    return require_something_kept(add_up(results), videos)


def _batches(files: list[Path], size: int) -> Iterator[list[Path]]:
    for start in range(0, len(files), size):
        yield files[start : start + size]


def _shard(
    target: Path, paths: list[Path], videos: Path, parts: str, min_shot_seconds: float, digest: str
) -> StageResult:
    clips: list[Clip] = []
    rejected: list[RejectedRow] = []
    num_derived = 0
    for path in paths:
        name = path.relative_to(videos).as_posix()
        try:
            ranges = _ranges(path, parts, min_shot_seconds)
        except Rejection as error:
            rejected.append(RejectedRow(name, error.reason, error.detail, {"video": name}))
            continue
        num_derived += len(ranges) - 1
        video, mark = os.path.relpath(path.resolve(), target.parent.resolve()), fingerprint(path)
        clips += [Clip(video=video, video_id=name, start=start, end=end, fingerprint=mark) for start, end in ranges]
    return store_clips(target, clips, rejected, digest, num_derived)


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
        raise Rejection("unreadable", " ".join(str(error).split())[:200]) from error
    ranges = [(start.seconds, end.seconds) for start, end in scenes]
    kept: list[tuple[float, float | None]] = [(a, b) for a, b in ranges if b - a >= min_shot_seconds]
    if not kept:
        raise Rejection("too short", f"{len(ranges)} shots, none of {min_shot_seconds:g} s")
    return kept
