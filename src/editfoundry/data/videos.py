"""Reads any video a person has: frames in the order of time, whatever the container says, is missing or is broken."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any

import av

from editfoundry.errors import Rejection, one_line

VIDEO_SUFFIXES = (
    ".mp4", ".m4v", ".mov", ".webm", ".mkv", ".avi", ".mpg", ".mpeg", ".ts", ".m2ts", ".ogv", ".flv", ".wmv", ".3gp",
    ".gif",
)  # fmt: skip
CONTAINERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts,mpegvideo,h264,hevc,ivf,ogg,flv,asf,gif,mxf,dv,m4v,obu,av1"
)
"""Formats that hold their pictures themselves; playlists, which name other files and addresses, are not among them."""
MAX_PIXELS = 64_000_000
TIME_TOLERANCE = 5e-4
"""Seconds; tables of clips give milliseconds."""
_DEFAULT_FRAME_RATE = Fraction(25)
_MAX_BROKEN_IN_A_ROW = 200
_ERRORS = (av.error.FFmpegError, ValueError, OSError, RuntimeError, MemoryError)


@dataclass(frozen=True, kw_only=True, eq=False)
class TimedFrame:
    """A decoded frame, in the decoder's own pixel format."""

    time: float
    """Seconds from the beginning of the video."""
    frame: av.VideoFrame


class Video:
    """An open video; see `open_video`."""

    def __init__(self, container: Any, stream: Any) -> None:
        self._container, self._stream = container, stream
        self.num_broken = 0
        """Packets and frames that could not be decoded so far."""

    @property
    def codec(self) -> str:
        """Its codec, for example ``h264``."""
        return str(self._stream.codec_context.name)

    @property
    def frame_rate(self) -> float:
        """Frames a second, on average; a guess where the container does not say."""
        return float(self._stream.average_rate or self._stream.guessed_rate or _DEFAULT_FRAME_RATE)

    @property
    def pixel_aspect(self) -> float:
        """Width of a stored pixel by its height."""
        ratio = self._stream.sample_aspect_ratio
        return float(ratio) if ratio else 1.0

    @property
    def seconds(self) -> float | None:
        """Its length as the container tells it; None where it does not."""
        if self._stream.duration is not None and self._stream.time_base is not None:
            return float(self._stream.duration * self._stream.time_base)
        return None if self._container.duration is None else self._container.duration / av.time_base

    def skip_unreferenced(self) -> None:
        """Decode no frame that no other frame depends on, from now on: half of them in usual H.264."""
        self._stream.codec_context.skip_frame = "NONREF"

    def frames(self, start: float = 0.0, end: float | None = None) -> Iterator[TimedFrame]:
        """Yield the frames with ``start <= time < end``, in the order of time; what is broken is left out.

        Decoding begins at the key frame before ``start``. Times that are missing or run backwards are made up from the
        frame rate.
        """
        if start > 0:
            self._seek(start)
            sought = self._decoded()
            first = next(sought, None)
            if first is not None and first.time <= start + 1 / self.frame_rate:
                yield from _between(chain([first], sought), start, end)
                return
            # The index lies: what is wanted begins before the place it names.
            self._container.seek(0)
        yield from _between(self._decoded(), start, end)

    def _origin(self) -> float | None:
        start, base = self._stream.start_time, self._stream.time_base
        return None if start is None or base is None else float(start * base)

    def _seek(self, start: float) -> None:
        try:
            offset = int((start + (self._origin() or 0.0)) / float(self._stream.time_base))
            self._container.seek(offset, stream=self._stream, backward=True)
        except _ERRORS:
            self._container.seek(0)

    def _decoded(self) -> Iterator[TimedFrame]:
        clock = _Clock(self._origin(), 1 / self.frame_rate)
        broken_in_a_row = 0
        for packet in self._packets():
            try:
                frames = packet.decode()
                broken_in_a_row = 0
            except EOFError:
                return
            except _ERRORS:
                self.num_broken += 1
                broken_in_a_row += 1
                if broken_in_a_row > _MAX_BROKEN_IN_A_ROW:
                    return
                continue
            for frame in frames:
                if frame.is_corrupt:
                    self.num_broken += 1
                    clock.tick(frame)
                else:
                    yield TimedFrame(time=clock.tick(frame), frame=frame)

    def _packets(self) -> Iterator[Any]:
        try:
            yield from self._container.demux(self._stream)
        except _ERRORS:
            self.num_broken += 1


class _Clock:
    """Gives each frame a time later than the one before."""

    def __init__(self, origin: float | None, step: float) -> None:
        self._origin, self._step = origin, step
        self._last: float | None = None

    def tick(self, frame: av.VideoFrame) -> float:
        """Return the frame's time in seconds."""
        time: float | None = frame.time
        if time is not None:
            if self._origin is None:
                self._origin = time
            time -= self._origin
        if time is None or (self._last is not None and time <= self._last):
            time = 0.0 if self._last is None else self._last + self._step
        self._last = time
        return time


@contextmanager
def open_video(path: Path, num_threads: int = 0) -> Iterator[Video]:
    """Open a video file; 0 threads are as many as there are cores.

    Raises:
        Rejection: ``unreadable``: missing, damaged, or of no known format; ``no video stream``: sound alone;
            ``too large``: more than 64 megapixels.
    """
    try:
        options = {"format_whitelist": CONTAINERS, "protocol_whitelist": "file"}
        container: Any = av.open(str(Path(path).resolve()), options=options, metadata_errors="ignore")
    except _ERRORS as error:
        raise Rejection("unreadable", _one_line(error)) from error
    with container:
        if len(container.streams) == 0:
            raise Rejection("unreadable", "a header with nothing after it")
        stream = next((s for s in container.streams.video if not _is_cover(s)), None)
        if stream is None:
            raise Rejection("no video stream", f"{len(container.streams)} other streams")
        context = stream.codec_context
        if context is None or not context.width or not context.height:
            raise Rejection("unreadable", "its video stream tells no size")
        if context.width * context.height > MAX_PIXELS:
            raise Rejection("too large", f"{context.width} x {context.height} pixels")
        stream.thread_type, context.thread_count = "AUTO", num_threads
        yield Video(container, stream)


def decoded_ahead(frames: Iterator[TimedFrame], num_ahead: int) -> Generator[TimedFrame]:
    """Yield what ``frames`` yields, while up to ``num_ahead`` more of them are decoded in a thread of their own.

    Close it before the video. What ``frames`` raises is raised in the place of the frame that would have come.
    """
    with ThreadPoolExecutor(1) as pool:
        waiting = deque(pool.submit(next, frames, None) for _ in range(num_ahead))
        try:
            while (timed := waiting.popleft().result()) is not None:
                waiting.append(pool.submit(next, frames, None))
                yield timed
        finally:
            pool.shutdown(cancel_futures=True)


def _between(frames: Iterator[TimedFrame], start: float, end: float | None) -> Iterator[TimedFrame]:
    for frame in frames:
        if end is not None and frame.time >= end - TIME_TOLERANCE:
            return
        if frame.time >= start - TIME_TOLERANCE:
            yield frame


def _is_cover(stream: Any) -> bool:
    """Whether it is a song's cover, not a film."""
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def _one_line(error: BaseException) -> str:
    return one_line(error, 200)
