"""Chooses the pairs of a shot that show the start and the end of what happens in it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from editfoundry.synthesis.frame_pairs.config import FramePairConfig
from editfoundry.synthesis.frame_pairs.held_frames import HeldFrame
from editfoundry.synthesis.frame_pairs.motion import NO_MOTION, Change, between_poses, camera_motion, change_between
from editfoundry.synthesis.frame_pairs.shots import Shot
from editfoundry.synthesis.frame_pairs.transitions import within_scenes

MAX_SPEED = 0.25
"""Widths of the picture a second: a camera that swings round faster, or a scene that another one pushes out, is on its
way from one place to the next."""
UNREST_WEIGHT = 1.0
"""What a pair's unrest takes from its change: halfway through an action more may differ than when it has ended."""
_FALL_BACK = (1.0, 0.6, 0.35)
"""Shares of the largest change up to which candidates are looked for, in case the first ones show another thing."""


@dataclass(frozen=True, eq=False)
class Candidate:
    """Two frames of one shot."""

    first: HeldFrame
    last: HeldFrame
    change: Change
    uncompensated: float
    """Share that differs when the camera's motion is not undone."""
    unrest: float
    """Share that changes right around the two frames: near 0 before an action has begun and after it has ended."""
    relative_sharpness: float
    """Of the blurrier frame, against the sharpest of the shot."""

    @property
    def seconds(self) -> float:
        """Time between the frames."""
        return self.last.time - self.first.time

    @property
    def worth(self) -> float:
        """What pairs are ranked by: their change, less what still goes on at its ends."""
        return self.change.share - UNREST_WEIGHT * self.unrest

    def measures(self) -> dict[str, float]:
        """Return everything that was measured."""
        return {
            "change": self.change.share,
            "change_uncompensated": self.uncompensated,
            "overlap": self.change.overlap,
            "spread": self.change.spread,
            "unrest": self.unrest,
            "seconds": self.seconds,
            "sharpness": min(self.first.look.sharpness, self.last.look.sharpness),
            "relative_sharpness": self.relative_sharpness,
        }


@dataclass(frozen=True, eq=False)
class ShotChoice:
    """What a shot offers."""

    candidates: list[Candidate]
    """Best first; empty where nothing usable happens."""
    reason: str
    """Why there are none: ``still``, ``camera only``, ``blur``, ``identity lost``, ``cut`` or ``too short``."""


def choose_in_shot(shot: Shot, config: FramePairConfig) -> ShotChoice:
    """Compare every two frames held of a shot, and return the pairs worth a closer look."""
    held = shot.held
    changes = _changes(held)
    shares = np.array([[change.share for change in row] for row in changes]).reshape(len(held), len(held))
    far_enough = _far_enough(held, config)
    if not far_enough.any():
        return ShotChoice([], "too short")
    sharp = [_is_sharp(frame, shot, config) for frame in held]
    both_sharp = np.logical_and.outer(sharp, sharp)
    steady = [frame.speed <= MAX_SPEED for frame in held]
    happens = far_enough & (shares >= config.min_change)
    overlaps = np.array([[c.overlap >= config.min_overlap for c in row] for row in changes])
    happens &= overlaps
    same_place = shares <= config.max_change
    one_scene = within_scenes(held, changes, config)
    usable = happens & both_sharp & same_place & one_scene & _one_action(held, shares, config)
    usable &= np.logical_and.outer(steady, steady)
    if usable.any():
        return ShotChoice(_candidates(shot, changes, shares, usable, config), "")
    if not one_scene.all():
        return ShotChoice([], "cut")
    return ShotChoice([], _reason(shot, happens, both_sharp & far_enough, same_place, config))


def _changes(held: list[HeldFrame]) -> list[list[Change]]:
    """Return ``(n, n)`` changes; those from a later to an earlier frame are nothing."""
    nothing = Change(0.0, 1.0, 0.0)
    return [
        [
            change_between(a.look, b.look, between_poses(a.pose, b.pose)) if i < j else nothing
            for j, b in enumerate(held)
        ]
        for i, a in enumerate(held)
    ]


def _far_enough(held: list[HeldFrame], config: FramePairConfig) -> np.ndarray:
    times = np.array([frame.time for frame in held])
    later: np.ndarray = (times[None, :] - times[:, None]) >= config.min_seconds - 1e-6
    return later


def _one_action(held: list[HeldFrame], shares: np.ndarray, config: FramePairConfig) -> np.ndarray:
    """Return ``(n, n)`` bool: pairs without a rest between two changes."""
    count = len(held)
    fine = np.ones((count, count), dtype=bool)
    if config.rest_seconds == 0:
        return fine
    times = np.array([frame.time for frame in held])
    rests = (times[None, :] - times[:, None] >= config.rest_seconds - 1e-6) & (shares <= config.min_change / 2)
    for begin, end in np.argwhere(rests):
        changed_before = shares[:begin, begin] >= config.min_change
        changes_after = shares[end, end + 1 :] >= config.min_change
        fine[:begin, end + 1 :] &= ~np.logical_and.outer(changed_before, changes_after)
    return fine


def _is_sharp(frame: HeldFrame, shot: Shot, config: FramePairConfig) -> bool:
    least = max(config.min_sharpness, config.min_relative_sharpness * shot.best_sharpness)
    return frame.look.sharpness >= least


def _candidates(
    shot: Shot, changes: list[list[Change]], shares: np.ndarray, usable: np.ndarray, config: FramePairConfig
) -> list[Candidate]:
    worth = shares - UNREST_WEIGHT * _unrest(shares)
    largest = float(shares[usable].max())
    chosen: list[tuple[int, int]] = []
    for level in _FALL_BACK:
        pairs = np.argwhere(usable & (shares <= level * largest + 1e-9))
        best = sorted(((int(i), int(j)) for i, j in pairs), key=lambda pair: -worth[pair])
        chosen += [pair for pair in best if pair not in chosen][: 2 if level == 1 else 1]
    return [_candidate(shot, changes[i][j], i, j, _unrest(shares)[i, j]) for i, j in chosen[: config.num_candidates]]


def _candidate(shot: Shot, change: Change, i: int, j: int, unrest: float) -> Candidate:
    first, last = shot.held[i], shot.held[j]
    sharpness = min(first.look.sharpness, last.look.sharpness) / max(shot.best_sharpness, 1e-6)
    uncompensated = change_between(first.look, last.look, NO_MOTION).share
    return Candidate(first, last, change, uncompensated, float(unrest), sharpness)


def _unrest(shares: np.ndarray) -> np.ndarray:
    """Return ``(n, n)``: what changes from each of two frames to its neighbours, before and after it, together."""
    steps = np.concatenate([[0.0], np.diagonal(shares, offset=1), [0.0]])
    around = steps[:-1] + steps[1:]
    unrest: np.ndarray = around[:, None] + around[None, :]
    return unrest


def _reason(
    shot: Shot, happens: np.ndarray, both_sharp: np.ndarray, same_place: np.ndarray, config: FramePairConfig
) -> str:
    if not both_sharp.any():
        return "blur"
    if (happens & both_sharp & ~same_place).any():
        return "identity lost"
    if (happens & ~both_sharp).any():
        return "blur"
    return "camera only" if shot.camera_way >= config.min_camera_motion else "still"


def refined(candidate: Candidate) -> Candidate:
    """Measure a candidate's change again with the motion between its two frames themselves, where that is less."""
    direct = camera_motion(candidate.first.look, candidate.last.look)
    change = change_between(candidate.first.look, candidate.last.look, direct)
    if change.share >= candidate.change.share:
        return candidate
    return replace(candidate, change=change)
