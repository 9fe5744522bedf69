"""Writes tinyworld's clips: H.264 videos, a table in InternVid's schema, and the truth in a side file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from editfoundry.data.atomic import atomic_file
from editfoundry.data.hashing import input_hash
from editfoundry.data.output_folder import claim_output
from editfoundry.data.tables import table_is_done
from editfoundry.errors import BadInputError
from editfoundry.tinyworld.clips.film import FRAME_SIZE, film
from editfoundry.tinyworld.clips.reel import PlacedClip, Reel, plan_reels
from editfoundry.tinyworld.clips.truth import reel_truths, write_truths
from editfoundry.tinyworld.scene_sampling import Split, random_stream

STAGE = "tinyworld clips"
TABLE = "clips.parquet"
VIDEOS = "videos"
TRUTH = "truth.jsonl"
_VERSION = 1
"""Raised when the same parameters come to give other clips."""
_CRF = "20"
_REELS_A_PROCESS = 16
"""Videos for which it pays to start a process."""


@dataclass(frozen=True)
class WrittenClips:
    """What is there."""

    num_clips: int
    num_videos: int
    table: Path


def write_clips(
    output: Path,
    num_clips: int,
    seed: int = 0,
    split: Split = "train",
    size: int = FRAME_SIZE,
    progress: Callable[[int, int], None] | None = None,
    num_processes: int | None = None,
) -> WrittenClips:
    """Write clips; the same parameters give the same files, and files that are there in full are kept.

    Args:
        output: folder of ``clips.parquet`` (``YoutubeID Start_timestamp End_timestamp Caption Aesthetic_Score
            UMT_Score``), ``videos/<YoutubeID>.mp4`` and ``truth.jsonl``.
        num_clips: rows of the table; a video holds up to three.
        seed: of everything.
        split: which scenes: those of training, or those held out.
        size: pixels to a side, even.
        progress: called with videos done and videos in all.
        num_processes: that film at the same time; by default one a core, and one alone where there are few videos.

    Raises:
        BadInputError: a size or a count that cannot be, or ``output`` holds something else.
    """
    if num_clips < 1 or size < 32 or size % 2:
        raise BadInputError(f"{num_clips} clips of {size} pixels: give at least 1 clip and an even size of 32 or more")
    claim_output(output, STAGE)
    reels = list(plan_reels(num_clips, seed, split))
    digest = input_hash(STAGE, _VERSION, num_clips, seed, split, size)
    result = WrittenClips(num_clips, len(reels), output / TABLE)
    if table_is_done(result.table, digest) and all(_video(output, reel).is_file() for reel in reels):
        return result
    _remove_others(output / VIDEOS, {_video(output, reel) for reel in reels})
    num_processes = num_processes or min(len(os.sched_getaffinity(0)), max(1, len(reels) // _REELS_A_PROCESS))
    for number, _ in enumerate(_write_videos(output, reels, size, num_processes), start=1):
        if progress is not None:
            progress(number, len(reels))
    write_truths(output / TRUTH, (truth for reel in reels for truth in reel_truths(reel)))
    _write_table(result.table, reels, digest)
    return result


def _write_videos(output: Path, reels: list[Reel], size: int, num_processes: int) -> Iterator[None]:
    """Write each reel's video; yield when one is there."""
    if num_processes == 1:
        for reel in reels:
            _write_video(output, reel, size)
            yield
        return
    with ProcessPoolExecutor(num_processes, mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(_write_video, output, reel, size) for reel in reels]
        try:
            for future in as_completed(futures):
                future.result()
                yield
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _write_video(output: Path, reel: Reel, size: int) -> None:
    with atomic_file(_video(output, reel)) as file:
        _encode(file, reel, size)


def _video(output: Path, reel: Reel) -> Path:
    return output / VIDEOS / f"{reel.video_id}.mp4"


def _remove_others(folder: Path, wanted: set[Path]) -> None:
    for path in folder.glob("*.mp4"):
        if path not in wanted:
            path.unlink()


def _encode(file: object, reel: Reel, size: int) -> None:
    with av.open(file, "w", format="mp4") as container:
        # One thread: what several write depends on how many there are.
        options = {"crf": _CRF, "preset": "veryfast", "threads": "1"}
        if size % 64:
            # x264's fast look-ahead takes four macroblocks at a time, and past a row's last one what lay in memory.
            options["x264-params"] = "cpu-independent=1"
        stream: Any = container.add_stream("libx264", rate=reel.fps, options=options)
        stream.width = stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.gop_size = 2 * reel.fps
        for picture in _pictures(reel, size):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))


def _pictures(reel: Reel, size: int) -> Iterator[np.ndarray]:
    random = random_stream("film", *reel.key)
    for clip in reel.clips:
        yield from film(clip.plan, size, reel.fps, random)


def _write_table(path: Path, reels: list[Reel], digest: str) -> None:
    rows = [_row(reel, clip, number) for reel in reels for number, clip in enumerate(reel.clips)]
    table = pa.Table.from_pylist(rows)
    with atomic_file(path) as file:
        pq.write_table(table.replace_schema_metadata({"input_hash": digest}), file)


def _row(reel: Reel, clip: PlacedClip, number: int) -> dict[str, object]:
    random = random_stream("row", *reel.key, number)
    start = clip.first_frame / reel.fps
    # One clip in sixteen is too ugly for EditWorld's threshold of 6.
    ugly = random.random() < 1 / 16
    return {
        "YoutubeID": reel.video_id,
        "Start_timestamp": _timestamp(start),
        "End_timestamp": _timestamp(start + clip.num_frames / reel.fps),
        "Caption": clip.plan.caption,
        "Aesthetic_Score": round(float(random.uniform(4, 5.9) if ugly else random.uniform(6, 7.5)), 4),
        "UMT_Score": round(float(random.uniform(0.3, 0.5)), 4),
    }


def _timestamp(seconds: float) -> str:
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest // 1000:02d}.{rest % 1000:03d}"
