"""Slow transitions to another scene: dissolves and wipes that take longer than a cut, within what seems one shot.

Between two frames that follow each other a slow transition looks like an action. Its ends do not: hardly anything that
the one shows is in the other.
"""

from __future__ import annotations

import numpy as np

from editfoundry.synthesis.frame_pairs.config import FramePairConfig
from editfoundry.synthesis.frame_pairs.held_frames import HeldFrame
from editfoundry.synthesis.frame_pairs.motion import Change, between_poses, lost_structure, mixture

MAX_SECONDS = 2.5
"""Longest transition that is looked for; what takes longer may be a story."""
_LOST = 0.87
"""Share of a picture's patterns that must be gone for another scene to have come."""
_PURE = 0.07
"""Share of the other scene in a frame from which a transition is surely under way."""
_TRACE = 0.012
"""Share of it in the frames right beside those from which they belong to the transition too."""


def within_scenes(held: list[HeldFrame], changes: list[list[Change]], config: FramePairConfig) -> np.ndarray:
    """Return ``(n, n)`` bool: pairs of a shot's frames of which neither lies in a transition, nor one between them."""
    fine = np.ones((len(held), len(held)), dtype=bool)
    for begin, end in np.argwhere(_may_be_transitions(held, changes, config)):
        if _is_another_scene(held[begin], held[end]):
            first, last = _clear_ends(held, int(begin), int(end))
            fine[:last, first + 1 :] = False
    return fine


def _may_be_transitions(held: list[HeldFrame], changes: list[list[Change]], config: FramePairConfig) -> np.ndarray:
    """Return ``(n, n)`` bool: pairs near each other between which the whole picture changes."""
    count = len(held)
    found = np.zeros((count, count), dtype=bool)
    for i in range(count):
        for j in range(i + 1, count):
            change = changes[i][j]
            is_near = j == i + 1 or held[j].time - held[i].time <= MAX_SECONDS
            is_wide = change.share >= config.suspicious_change and change.spread > config.scene_spread
            found[i, j] = is_near and is_wide and change.overlap >= config.min_overlap
    return found


def _is_another_scene(first: HeldFrame, second: HeldFrame) -> bool:
    return lost_structure(first.look, second.look, between_poses(first.pose, second.pose)) >= _LOST


def _clear_ends(held: list[HeldFrame], begin: int, end: int) -> tuple[int, int]:
    """Return the last frame before a transition and the first one after it, which lies between two frames."""
    shares = [_share(held[begin], frame, held[end]) for frame in held[begin : end + 1]]
    entered = next(number for number, share in enumerate(shares) if share > _PURE)
    while entered > 1 and shares[entered - 1] > _TRACE:
        entered -= 1
    left = next(number for number in range(len(shares) - 1, -1, -1) if shares[number] < 1 - _PURE)
    while left < len(shares) - 2 and shares[left + 1] < 1 - _TRACE:
        left += 1
    return begin + entered - 1, begin + left + 1


def _share(first: HeldFrame, middle: HeldFrame, last: HeldFrame) -> float:
    motions = (between_poses(middle.pose, end.pose) for end in (first, last))
    return mixture(first.look, middle.look, last.look, *motions)[0]
