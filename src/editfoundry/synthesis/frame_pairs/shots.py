"""Parts a stream of frames into shots, holding of each shot a few frames to choose a pair from."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import cv2
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
    mixture,
    other_colours,
    rough_mixture,
    taken_over,
    way,
)

_FADE_RATIO = 1.1
"""Ratio of two successive looks' contrasts from which a shot that has just begun still fades in."""
_FADED_RATIO = 0.7
"""Contrast at a shot's end, against its best a moment before, from which it has faded out."""
_SHORTEST_DISSOLVE = 0.4
"""Of ``dissolve_seconds``; what takes less is a cut."""
_MIXTURE_RESIDUE = 0.2
"""What may be left of a frame within a cross-fade when the mixture of its ends is taken away."""
_LONGEST_DISSOLVE = 2.5
"""Seconds for which a shot may still be fading in, where nothing else explains what is seen."""
_LONG_MIXTURE_RESIDUE = 0.06
"""As ``_MIXTURE_RESIDUE``, of cross-fades longer than ``dissolve_seconds``, as which an action must not be taken."""
_ALIKE = 1.0
"""Mean difference of luma, of 255, below which two looks show the same scene."""
_SURE_TRACKS = 0.4
"""Share of the points followed that may get lost where it is surely no cut."""
_ELSEWHERE = 0.1
"""Share of the picture whose colours are others beyond a cut, and not only out of focus."""
_WIPED = 0.015
"""Share of the picture that another scene has taken over when a wipe is surely under way."""
_EXPLAINED = 0.5
"""Share of what differs from a scene that must be in the other; what happens in a scene is not."""
_MIXED = 0.07
"""Share of another scene in a frame from which it shows."""


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
    """Yield the shots of a video, each when it ends, from one pass over its `sampled` frames."""
    current: _OpenShot | None = None
    for timed in frames:
        look = look_at(timed.frame, timed.time)
        if look.is_blank:
            if current is not None:
                yield current.ended(None)
            current = None
        elif current is None:
            current = _OpenShot(config, look, timed.frame, look.time, None)
        elif not current.is_continued_by(look):
            yield current.ended(look)
            current = _OpenShot(config, look, timed.frame, look.time, current.clear)
        elif current.is_begun_anew_by(look):
            current = _OpenShot(config, look, timed.frame, current.begun, current.before)
        else:
            current.add(look, timed.frame)
    if current is not None:
        yield current.ended(None)


def sampled(frames: Iterable[TimedFrame], fps: float) -> Iterator[TimedFrame]:
    """Yield the first frame of every ``1 / fps`` seconds."""
    due: float | None = None
    for timed in frames:
        if due is None:
            due = timed.time
        if timed.time >= due - 1e-6:
            yield timed
            due += math.ceil((timed.time - due + 1e-6) * fps + 1e-9) / fps


class _OpenShot:
    """A shot that is still going on."""

    def __init__(
        self, config: FramePairConfig, look: Look, frame: VideoFrame, begun: float, before: Look | None
    ) -> None:
        self.config = config
        self.begun = begun
        """When it began, its fading in included."""
        self.before = before
        """A look of the shot before it."""
        self._start = look.time
        self._best_sharpness = self._camera_way = 0.0
        self._next = _Seen(look, NO_MOTION)
        self._recent: list[_Seen] = []
        self._held = HeldFrames(config)
        self._take(frame)

    @property
    def clear(self) -> Look:
        """A look of a moment ago, before anything was mixed into the shot."""
        return self._recent[0].look

    def is_continued_by(self, look: Look) -> bool:
        """Return whether neither a cut nor a cross-fade lies between the last look and this one."""
        last = self._recent[-1]
        if look.is_blank or last.look.shape != look.shape:
            return False
        motion = camera_motion(last.look, look)
        if not _is_same_scene(last.look, look, motion):
            change = change_between(last.look, look, motion)
            if self._is_cut(change, motion.lost):
                return False
        self._next = _Seen(look, last.pose.followed_by(motion))
        return not self._is_dissolved()

    def is_begun_anew_by(self, look: Look) -> bool:
        """Return whether all before ``look`` was still the shot's fading in."""
        since = look.time - self.begun
        if since <= _LONGEST_DISSOLVE and self._is_entering(look):
            return True
        if since > self.config.dissolve_seconds:
            return (
                since <= _LONGEST_DISSOLVE
                and self.before is not None
                and _is_mixed(self.before, self._recent[0].look, look, _LONG_MIXTURE_RESIDUE)
            )
        if look.contrast > _FADE_RATIO * self._recent[-1].look.contrast:
            return True
        return self.before is not None and _is_mixed(self.before, self._recent[0].look, look)

    def add(self, look: Look, frame: VideoFrame) -> None:
        """Take a look that continues the shot."""
        assert self._next.look is look
        self._take(frame)

    def ended(self, following: Look | None) -> Shot:
        """Return the shot without what was its fading out, into black or into the ``following`` shot."""
        last = self._last_clear(following)
        self._held.drop_after(last)
        return Shot(self._held.frames, self._start, last, self._best_sharpness, self._camera_way)

    def _take(self, frame: VideoFrame) -> None:
        seen, last = self._next, self._recent[-1] if self._recent else self._next
        moved = way(between_poses(last.pose, seen.pose), seen.look)
        speed = moved / max(seen.look.time - last.look.time, 1e-6)
        self._best_sharpness = max(self._best_sharpness, seen.look.sharpness)
        self._camera_way = max(self._camera_way, way(seen.pose, seen.look))
        self._recent.append(seen)
        while seen.look.time - self._recent[0].look.time > self.config.dissolve_seconds:
            self._recent.pop(0)
        self._held.add(HeldFrame(seen.look, frame, seen.pose, speed))

    def _is_cut(self, change: Change, lost: float) -> bool:
        config = self.config
        if change.share >= config.cut_change:
            return True
        is_lost = lost > config.max_lost_tracks and change.spread > config.scene_spread
        return change.share >= config.suspicious_change and is_lost

    def _is_entering(self, look: Look) -> bool:
        """Return whether the shot's first look still shows a part of the shot before, which ``look`` does not."""
        first = self._recent[0]
        if self.before is None or self.before.shape != look.shape:
            return False
        if other_colours(self.before, first.look) < _ELSEWHERE:
            return False
        return _is_wiped(first.look, look, self.before, between_poses(first.pose, self._next.pose))

    def _is_leaving(self, seen: _Seen, following: Look) -> bool:
        """Return whether a late look shows a part of the shot that follows."""
        last = self._recent[-1].look
        if following.shape != last.shape or other_colours(last, following) < _ELSEWHERE:
            return False
        clear = self._recent[0]
        return _is_wiped(seen.look, clear.look, following, between_poses(seen.pose, clear.pose))

    def _is_fading_into(self, seen: _Seen, following: Look) -> bool:
        """Return whether a late look is mixed with the shot that follows, the camera's motion undone or not.

        The motion beyond the cut is unknown, but of what comes in little shows at first.
        """
        clear, motion = self._recent[0], between_poses(seen.pose, self._recent[0].pose)
        if _is_mixed(clear.look, seen.look, following):
            return True
        if not clear.look.shape == seen.look.shape == following.shape:
            return False
        return _is_share(*mixture(clear.look, seen.look, following, motion), _MIXTURE_RESIDUE)

    def _is_dissolved(self) -> bool:
        first = self._recent[0]
        if self._next.look.time - first.look.time < _SHORTEST_DISSOLVE * self.config.dissolve_seconds:
            return False
        if not _may_differ(first.look, self._next.look):
            return False
        if not any(_is_mixed(first.look, seen.look, self._next.look) for seen in self._recent[1:]):
            return False
        change = _change(first, self._next)
        return change.overlap >= self.config.min_overlap and self._is_cut(change, lost=1.0)

    def _last_clear(self, following: Look | None) -> float:
        """Return the time of the last look that shows the scene alone, neither darkened nor mixed with another."""
        recent = self._recent
        best = max(seen.look.contrast for seen in recent)
        fades = recent[-1].look.contrast < _FADED_RATIO * best
        last = self.clear.time
        for seen in recent[1:]:
            is_faded = fades and seen.look.contrast < best / _FADE_RATIO
            if is_faded or (
                following is not None and (self._is_fading_into(seen, following) or self._is_leaving(seen, following))
            ):
                break
            last = seen.look.time
        return last


def _is_mixed(first: Look, middle: Look, last: Look, max_residue: float = _MIXTURE_RESIDUE) -> bool:
    """Whether ``middle`` is a moment of a cross-fade from ``first`` to ``last``."""
    if not first.shape == middle.shape == last.shape:
        return False
    if rough_mixture(first, middle, last)[1] > 2 * _MIXTURE_RESIDUE:
        return False
    return _is_share(*mixture(first, middle, last), max_residue)


def _is_share(share: float, residue: float, max_residue: float) -> bool:
    return _MIXED < share < 1 - _MIXED and residue < max_residue


def _is_wiped(look: Look, home: Look, other: Look, motion: Motion) -> bool:
    """Whether a part of ``look`` shows the scene of ``other``, which comes over its own or goes from it."""
    if not _may_differ(look, home):
        return False
    share, explained = taken_over(look, home, other, motion)
    return share >= _WIPED and explained >= _EXPLAINED


def _may_differ(first: Look, second: Look) -> bool:
    """Whether two looks are far enough apart for a cut to lie between: a cheap test that saves the thorough one."""
    return bool(cv2.norm(first.luma, second.luma, cv2.NORM_L1) >= _ALIKE * first.luma.size)


def _is_same_scene(first: Look, second: Look, motion: Motion) -> bool:
    """Whether no cut can lie between two looks: either they are alike, or most points were followed."""
    return (motion.is_followed and motion.lost < _SURE_TRACKS) or not _may_differ(first, second)


def _change(first: _Seen, second: _Seen) -> Change:
    return change_between(first.look, second.look, between_poses(first.pose, second.pose))
