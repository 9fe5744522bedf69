"""Parts a stream of frames into shots, holding of each shot a few frames to choose a pair from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from av import VideoFrame

from editfoundry.data.videos import TimedFrame
from editfoundry.synthesis.frame_pairs.config import FramePairConfig
from editfoundry.synthesis.frame_pairs.held_frames import HeldFrame, HeldFrames
from editfoundry.synthesis.frame_pairs.looks import Look, look_at
from editfoundry.synthesis.frame_pairs.motion import (
    NO_MOTION,
    Change,
    Motion,
    between_poses,
    camera_motion,
    change_between,
    way,
)

_FADE_RATIO = 1.1
"""Ratio of two successive looks' contrasts from which a shot that has just begun still fades in."""
_FADED_RATIO = 0.7
"""Contrast at a shot's end, against its best a moment before, from which it has faded out."""
_SHORTEST_DISSOLVE = 0.4
"""Of ``dissolve_seconds``; what takes less is a cut."""


@dataclass(frozen=True, eq=False)
class Shot:
    """What is filmed between two cuts."""

    held: list[HeldFrame]
    """In the order of time."""
    start: float
    end: float
    best_sharpness: float
    """Of all its frames that were looked at."""
    camera_way: float
    """How far the camera got from where it began, as a share of the picture's width."""

    @property
    def seconds(self) -> float:
        """Length between its first and last frame that was looked at."""
        return self.end - self.start


@dataclass(frozen=True, eq=False)
class _Seen:
    look: Look
    pose: Motion
    """Of the camera since the shot's first look."""


def shots_of(frames: Iterable[TimedFrame], config: FramePairConfig) -> Iterator[Shot]:
    """Yield the shots of a video, each when it ends, from one pass over its decoded frames."""
    current: _OpenShot | None = None
    for timed in _sampled(frames, config.analysis_fps):
        look = look_at(timed.frame, timed.time)
        if current is not None and not (current.is_continued_by(look) and not look.is_blank):
            yield current.ended()
            current = None if look.is_blank else _OpenShot(config, look, timed.frame)
        elif current is None or current.is_begun_anew_by(look):
            begun = look.time if current is None else current.begun
            current = None if look.is_blank else _OpenShot(config, look, timed.frame, begun)
        else:
            current.add(look, timed.frame)
    if current is not None:
        yield current.ended()


class _OpenShot:
    """A shot that is still going on."""

    def __init__(self, config: FramePairConfig, look: Look, frame: VideoFrame, begun: float | None = None) -> None:
        self.config = config
        self.begun = look.time if begun is None else begun
        """When it began, its fading in included."""
        self._start = look.time
        self._best_sharpness = self._camera_way = 0.0
        self._next = _Seen(look, NO_MOTION)
        self._first = self._next
        self._recent: list[_Seen] = []
        self._held = HeldFrames(config)
        self._take(frame)

    def is_continued_by(self, look: Look) -> bool:
        """Return whether neither a cut nor a cross-fade lies between the last look and this one."""
        last = self._recent[-1]
        if look.is_blank or last.look.shape != look.shape:
            return False
        motion = camera_motion(last.look, look)
        if self._is_cut(change_between(last.look, look, motion), motion.lost):
            return False
        self._next = _Seen(look, last.pose.followed_by(motion))
        return not self._is_dissolved()

    def is_begun_anew_by(self, look: Look) -> bool:
        """Return whether all before ``look`` was still the shot's fading in."""
        if look.time - self.begun > self.config.dissolve_seconds:
            return False
        if look.contrast > _FADE_RATIO * self._recent[-1].look.contrast:
            return True
        return self.begun > 0 and self._is_scene_change(self._first, self._next)

    def add(self, look: Look, frame: VideoFrame) -> None:
        """Take a look that continues the shot."""
        assert self._next.look is look
        self._take(frame)

    def ended(self) -> Shot:
        """Return the shot without what was its fading out."""
        last = self._last_clear()
        self._held.drop_after(last)
        return Shot(self._held.frames, self._start, last, self._best_sharpness, self._camera_way)

    def _take(self, frame: VideoFrame) -> None:
        seen = self._next
        self._best_sharpness = max(self._best_sharpness, seen.look.sharpness)
        self._camera_way = max(self._camera_way, way(seen.pose, seen.look))
        self._recent.append(seen)
        while seen.look.time - self._recent[0].look.time > self.config.dissolve_seconds:
            self._recent.pop(0)
        self._held.add(HeldFrame(seen.look, frame, seen.pose))

    def _is_cut(self, change: Change, lost: float) -> bool:
        config = self.config
        if change.share >= config.cut_change:
            return True
        is_lost = lost > config.max_lost_tracks or change.spread > config.scene_spread
        return change.share >= config.suspicious_change and is_lost

    def _is_dissolved(self) -> bool:
        first = self._recent[0]
        if self._next.look.time - first.look.time < _SHORTEST_DISSOLVE * self.config.dissolve_seconds:
            return False
        change = _change(first, self._next)
        return change.overlap >= self.config.min_overlap and self._is_cut(change, lost=0.0)

    def _is_scene_change(self, first: _Seen, second: _Seen) -> bool:
        change = _change(first, second)
        return change.share >= self.config.settled_change and change.spread >= self.config.settled_spread

    def _last_clear(self) -> float:
        """Return the time of the last look that shows the scene alone, neither darkened nor mixed with another."""
        recent = self._recent
        best = max(seen.look.contrast for seen in recent)
        fades = recent[-1].look.contrast < _FADED_RATIO * best
        last = recent[0].look.time
        for seen in recent[1:]:
            if self._is_scene_change(recent[0], seen) or (fades and seen.look.contrast < best / _FADE_RATIO):
                break
            last = seen.look.time
        return last


def _change(first: _Seen, second: _Seen) -> Change:
    return change_between(first.look, second.look, between_poses(first.pose, second.pose))


def _sampled(frames: Iterable[TimedFrame], fps: float) -> Iterator[TimedFrame]:
    """Yield the first frame of every ``1 / fps`` seconds."""
    due: float | None = None
    for timed in frames:
        if due is None:
            due = timed.time
        if timed.time >= due - 1e-6:
            yield timed
            due += np.ceil((timed.time - due + 1e-6) * fps + 1e-9) / fps
