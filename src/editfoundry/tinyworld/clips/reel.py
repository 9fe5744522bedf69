"""Which clips there are: kinds and rules in turns, several clips to a video, as InternVid's lie in theirs."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from editfoundry.tinyworld.clips.clip_kinds import KINDS, NUM_GOOD_KINDS, sample_clip
from editfoundry.tinyworld.clips.film import num_frames
from editfoundry.tinyworld.clips.plan import ClipPlan
from editfoundry.tinyworld.clips.storylines import video_rules
from editfoundry.tinyworld.scene_sampling import Split, random_stream

MAX_CLIPS_PER_VIDEO = 3
FRAME_RATES = (24, 25, 30)


@dataclass(frozen=True)
class PlacedClip:
    """A clip and the frames of its video that it takes."""

    plan: ClipPlan
    first_frame: int
    num_frames: int


@dataclass(frozen=True, kw_only=True)
class Reel:
    """One video: clips after one another."""

    video_id: str
    """Eleven characters, as YouTube's."""
    fps: int
    clips: tuple[PlacedClip, ...]
    key: tuple[object, ...]
    """What its noise depends on."""


def plan_reels(num_clips: int, seed: int, split: Split) -> Iterator[Reel]:
    """Yield the videos that hold ``num_clips`` clips; the kinds take turns, and so do the rules of those that act."""
    random = random_stream("reels", seed, split)
    number = 0
    while number < num_clips:
        count = min(int(random.integers(1, MAX_CLIPS_PER_VIDEO + 1)), num_clips - number)
        key = (split, seed, number)
        fps = FRAME_RATES[int(random.integers(len(FRAME_RATES)))]
        plans = [_plan(n, seed, split) for n in range(number, number + count)]
        yield Reel(video_id=_video_id(*key), fps=fps, clips=_placed(plans, fps), key=key)
        number += count


def _plan(number: int, seed: int, split: Split) -> ClipPlan:
    rules = video_rules()
    turn, place = divmod(number, len(KINDS))
    kind = list(KINDS)[place]
    # Of every round of kinds, those without an action take no rule's turn, but the blurred one shows any.
    num_before = turn * NUM_GOOD_KINDS + sum(not reason for reason in list(KINDS.values())[:place])
    # The rules are ordered by category; striding makes a small count cover all categories alike.
    rule = rules[(num_before * 11 + seed) % len(rules)]
    return sample_clip(random_stream("clip", split, seed, number), kind, rule, split)


def _placed(plans: list[ClipPlan], fps: int) -> tuple[PlacedClip, ...]:
    placed, first = [], 0
    for plan in plans:
        placed.append(PlacedClip(plan, first, num_frames(plan, fps)))
        first += placed[-1].num_frames
    return tuple(placed)


def _video_id(*key: object) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(repr(("video", *key)).encode()).digest())[:11].decode()
