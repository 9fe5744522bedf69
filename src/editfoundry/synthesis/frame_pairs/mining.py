"""Finds the pair of frames that shows what happens in a clip, in one pass over it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from editfoundry.data.video_pictures import picture
from editfoundry.data.videos import TimedFrame, Video, decoded_ahead, open_video
from editfoundry.errors import Rejection
from editfoundry.synthesis.frame_pairs.choice import Candidate, choose_in_shot, refined
from editfoundry.synthesis.frame_pairs.config import FramePairConfig
from editfoundry.synthesis.frame_pairs.shots import Shot, sampled, shots_of

if TYPE_CHECKING:
    from editfoundry.synthesis.frame_pairs.identity import IdentityJudge

REASONS = ("blur", "identity lost", "cut", "camera only", "still", "too short", "blank")
"""Why a readable clip has no pair, in the order in which one is named where several hold."""
_MIN_COVERED = 0.9
"""Share of a clip that must be there; less, and the file is cut off."""
_SPARE_FRAMES = 5
"""Frames for each that is looked at, from which on those are not decoded that no other depends on: of these there are
rarely more than three in a row."""
_NUM_AHEAD = 4
"""Frames to look at that are decoded while one is being looked at."""
_TAIL_SECONDS = 0.3
"""A shorter tail may be missing from any clip: containers round their length up."""


@dataclass(frozen=True, kw_only=True)
class FramePair:
    """Before and after."""

    first: Image.Image
    """RGB, upright, full resolution unless the configuration says otherwise."""
    last: Image.Image
    first_time: float
    """Seconds from the beginning of the video."""
    last_time: float
    measures: dict[str, float]
    """Everything that was measured on the pair."""


def mine_clip(
    path: Path, start: float, end: float | None, config: FramePairConfig, identity: IdentityJudge | None
) -> FramePair:
    """Return the pair with the largest change that keeps identity, is sharp and has no cut between.

    Args:
        path: of the video.
        start: seconds, of the clip's beginning.
        end: seconds; None is the video's end.
        config: how to choose.
        identity: compares candidates by CLIP; None goes without.

    Raises:
        Rejection: ``unreadable``, ``no video stream``, ``too large``, ``truncated``, or one of ``REASONS``.
    """
    with open_video(path, config.decoding_threads) as video:
        if video.frame_rate >= _SPARE_FRAMES * config.analysis_fps:
            video.skip_unreferenced()
        watched = _Watched(video, start, end)
        with closing(decoded_ahead(sampled(watched.frames(), config.analysis_fps), _NUM_AHEAD)) as frames:
            candidates, seen = _best_candidates(frames, config)
        watched.check()
        # A frame must not outlive its container.
        return _chosen(candidates, seen, config, identity, video)


class _Watched:
    """Yields a clip's frames and knows afterwards how much of it there was."""

    def __init__(self, video: Video, start: float, end: float | None) -> None:
        self._video, self._start, self._end = video, start, end
        self._last: float | None = None

    def frames(self) -> Iterator[TimedFrame]:
        for timed in self._video.frames(self._start, self._end):
            self._last = timed.time
            yield timed

    def check(self) -> None:
        """Raise Rejection where there was nothing, or much less than there should be."""
        if self._last is None:
            raise Rejection("unreadable", f"no frame could be decoded; {self._video.num_broken} were broken")
        end = self._video.seconds if self._end is None else self._end
        if end is None:
            return
        there, wanted = self._last + 1 / self._video.frame_rate - self._start, end - self._start
        if there < _MIN_COVERED * wanted - _TAIL_SECONDS:
            raise Rejection("truncated", f"{there:.2f} of {wanted:.2f} s are there")


def _best_candidates(
    frames: Iterator[TimedFrame], config: FramePairConfig
) -> tuple[list[tuple[Candidate, Shot]], list[str]]:
    """Return the best candidates of all shots, and of each shot that counts why it offers none."""
    best: list[tuple[Candidate, Shot]] = []
    reasons: list[str] = []
    num_shots = 0
    for shot in shots_of(frames, config):
        choice = choose_in_shot(shot, config)
        best += [(candidate, _without_frames(shot)) for candidate in choice.candidates]
        best = sorted(best, key=lambda pair: -pair[0].worth)[: config.num_candidates]
        num_shots += 1
        if shot.seconds >= config.min_shot_seconds:
            reasons.append(choice.reason)
    return best, reasons or ["too short" if num_shots else "blank"]


def _without_frames(shot: Shot) -> Shot:
    return Shot([], shot.start, shot.end, shot.best_sharpness, shot.camera_way)


def _chosen(
    candidates: Sequence[tuple[Candidate, Shot]],
    reasons: list[str],
    config: FramePairConfig,
    identity: IdentityJudge | None,
    video: Video,
) -> FramePair:
    if not candidates:
        raise Rejection(_reason(reasons))
    direct = [(refined(candidate), shot) for candidate, shot in candidates]
    direct = [(candidate, shot) for candidate, shot in direct if candidate.change.share >= config.min_change]
    if not direct:
        raise Rejection("camera only", "what differs follows the camera's motion")
    if identity is None:
        return _pair(*direct[0], {}, config, video)
    of_the_best: dict[str, float] = {}
    # Most often the best is accepted, and the others need no look.
    for some in filter(None, (direct[:1], direct[1:])):
        frames = [(candidate.first.frame, candidate.last.frame) for candidate, _ in some]
        similarities = identity.compare(frames, video.pixel_aspect)
        for (candidate, shot), similarity in zip(some, similarities, strict=True):
            if identity.accepts(similarity, config):
                return _pair(candidate, shot, similarity, config, video)
        of_the_best = of_the_best or similarities[0]
    raise Rejection("identity lost", ", ".join(f"{name} {value:.3f}" for name, value in of_the_best.items()))


def _reason(reasons: list[str]) -> str:
    found = set(reasons)
    if len(reasons) > 1 and not found & {"blur", "identity lost"}:
        return "cut"
    return next(reason for reason in REASONS if reason in found)


def _pair(
    candidate: Candidate, shot: Shot, similarity: dict[str, float], config: FramePairConfig, video: Video
) -> FramePair:
    pictures = [
        picture(held.frame, video.pixel_aspect, config.max_image_side) for held in (candidate.first, candidate.last)
    ]
    measures = {**candidate.measures(), "camera_way": shot.camera_way, "shot_seconds": shot.seconds, **similarity}
    return FramePair(
        first=pictures[0],
        last=pictures[1],
        first_time=candidate.first.time,
        last_time=candidate.last.time,
        measures={name: round(float(value), 4) for name, value in measures.items()},
    )
