"""What a clip truly shows: a side file for measuring, which no stage of the pipeline reads."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from editfoundry.data.atomic import atomic_file
from editfoundry.data.videos import TIME_TOLERANCE
from editfoundry.errors import BadInputError
from editfoundry.tinyworld.clips.clip_kinds import KINDS
from editfoundry.tinyworld.clips.plan import Action, Take
from editfoundry.tinyworld.clips.reel import PlacedClip, Reel
from editfoundry.tinyworld.rules import all_rules

Span = tuple[float, float]
"""Seconds from the beginning of the video."""


@dataclass(frozen=True, kw_only=True)
class ActionTruth:
    """One storyline of a clip."""

    rule: str
    category: str
    wordings: tuple[str, ...]
    """Every true instruction, those held out of training included."""
    input_caption: str
    output_caption: str
    start_window: Span
    """A frame in here shows the scene before the action."""
    end_window: Span
    """A frame in here shows the scene after it."""


@dataclass(frozen=True, kw_only=True)
class ClipTruth:
    """One row of the clips' table, truly described."""

    video_id: str
    start: float
    """Seconds from the beginning of the video, as all times here."""
    end: float
    kind: str
    reason: str
    """For which reason frame-pair mining must drop it; empty where there is a pair to be found."""
    actions: tuple[ActionTruth, ...]
    cuts: tuple[float, ...]

    def action_of(self, first: float, last: float) -> ActionTruth | None:
        """Return the action whose start and end the two times show; None where they show none, or a cut between."""
        for action in self.actions:
            if _is_in(first, action.start_window) and _is_in(last, action.end_window):
                return action
        return None


def reel_truths(reel: Reel) -> list[ClipTruth]:
    """Return the truth about each clip of a video."""
    return [_clip_truth(reel, clip) for clip in reel.clips]


def write_truths(path: Path, truths: Iterable[ClipTruth]) -> None:
    """Write a JSONL file, in full or not at all."""
    with atomic_file(path) as file:
        for truth in truths:
            file.write((json.dumps(asdict(truth), ensure_ascii=False) + "\n").encode())


def read_truths(path: Path) -> list[ClipTruth]:
    """Read what `write_truths` wrote.

    Raises:
        BadInputError: missing, or another file.
    """
    try:
        return [_parsed(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise BadInputError(f"{path}: not the truth about tinyworld clips; make them again") from error


def _is_in(time: float, window: Span) -> bool:
    return window[0] - TIME_TOLERANCE <= time < window[1]


def _parsed(line: str) -> ClipTruth:
    fields = json.loads(line)
    actions = tuple(ActionTruth(**{k: _tupled(v) for k, v in a.items()}) for a in fields.pop("actions"))
    return ClipTruth(**{name: _tupled(value) for name, value in fields.items()}, actions=actions)


def _tupled(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _clip_truth(reel: Reel, clip: PlacedClip) -> ClipTruth:
    start, plan = clip.first_frame / reel.fps, clip.plan
    half = plan.dissolve_seconds / 2
    return ClipTruth(
        video_id=reel.video_id, start=_rounded(start), end=_rounded(start + clip.num_frames / reel.fps),
        kind=plan.kind, reason=KINDS[plan.kind], cuts=tuple(_rounded(start + take.start) for take in plan.takes[1:]),
        actions=tuple(
            _action_truth(action, previous, following, take, start, half)
            for take in plan.takes
            for previous, action, following in _neighbours(take)
        ),
    )  # fmt: skip


def _neighbours(take: Take) -> list[tuple[Action | None, Action, Action | None]]:
    actions = (None, *take.actions, None)
    return [(actions[i], action, actions[i + 2]) for i, action in enumerate(take.actions)]


def _action_truth(
    action: Action, previous: Action | None, following: Action | None, take: Take, offset: float, half: float
) -> ActionTruth:
    edit = action.edit
    first = take.start + half if previous is None else previous.end - previous.margin
    last = take.end - half if following is None else following.start + following.margin
    rule = next(r for r in all_rules() if r.name == edit.rule)
    return ActionTruth(
        rule=edit.rule, category=edit.category, wordings=rule.wordings + rule.held_out_wordings,
        input_caption=edit.before.caption, output_caption=edit.after.caption,
        start_window=(_rounded(offset + first), _rounded(offset + action.start + action.margin)),
        end_window=(_rounded(offset + action.end - action.margin), _rounded(offset + last)),
    )  # fmt: skip


def _rounded(seconds: float) -> float:
    return round(seconds, 4)
