"""The kinds of clips: storylines filmed in several ways, and what must be dropped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from editfoundry.tinyworld.clips.camera import Camera, sample_camera
from editfoundry.tinyworld.clips.plan import Action, Blur, ClipPlan, Take, shifted
from editfoundry.tinyworld.clips.storylines import sample_pair_of_edits, sample_visible_edit
from editfoundry.tinyworld.edits import Edit
from editfoundry.tinyworld.rule import Rule
from editfoundry.tinyworld.scene_sampling import Split, sample_scene

KINDS: dict[str, str] = {
    "action": "", "panned action": "", "still": "still", "shaken action": "", "cuts": "cut", "zoomed action": "",
    "pan": "camera only", "action after cut": "", "briefly blurred action": "", "shake": "camera only",
    "two actions": "", "faded action": "", "blurred action": "blur", "action before cut": "", "dissolve": "cut",
    "long action": "",
}  # fmt: skip
"""Kind -> for which reason frame-pair mining must drop it; empty for clips with a pair to be found."""
NUM_GOOD_KINDS = sum(not reason for reason in KINDS.values())


def sample_clip(random: np.random.Generator, kind: str, rule: Rule, split: Split) -> ClipPlan:
    """Draw a clip of ``kind``; those with an action show ``rule`` at work."""
    return _SAMPLERS[kind](random, kind, rule, split)


def _action(random: np.random.Generator, kind: str, rule: Rule, split: Split) -> ClipPlan:
    take = _acted_take(random, sample_visible_edit(random, split, rule), seconds=(1.2, 2.4) if "long" in kind else None)
    move = {"panned action": "pan", "shaken action": "shake", "zoomed action": "zoom"}.get(kind, "fixed")
    camera = sample_camera(random, move, take.end, strength=0.7)
    return ClipPlan(kind=kind, takes=(take,), camera=camera)


def _two_actions(random: np.random.Generator, kind: str, rule: Rule, split: Split) -> ClipPlan:
    first, second = sample_pair_of_edits(random, split, rule)
    take = _acted_take(random, first, after=(0.8, 1.2))
    start = take.end
    action = Action(edit=second, start=start, end=start + random.uniform(0.6, 1.4))
    take = replace(take, actions=(*take.actions, action), end=action.end + random.uniform(0.6, 1.5))
    return ClipPlan(kind=kind, takes=(take,), camera=Camera())


def _cut_action(random: np.random.Generator, kind: str, rule: Rule, split: Split) -> ClipPlan:
    acted = _acted_take(random, sample_visible_edit(random, split, rule))
    other = _still_take(random, split, (1.0, 2.0))
    first, second = (other, acted) if kind == "action after cut" else (acted, other)
    return ClipPlan(kind=kind, takes=(first, shifted(second, first.end)), camera=Camera())


def _faded_action(random: np.random.Generator, kind: str, rule: Rule, split: Split) -> ClipPlan:
    fade = float(random.uniform(0.3, 0.6))
    take = _acted_take(random, sample_visible_edit(random, split, rule), before=(fade + 0.6, fade + 1.2))
    take = replace(take, end=take.end + fade)
    return ClipPlan(kind=kind, takes=(take,), camera=Camera(), fade_seconds=fade)


def _blurred_action(random: np.random.Generator, kind: str, rule: Rule, split: Split) -> ClipPlan:
    take = _acted_take(random, sample_visible_edit(random, split, rule), before=(1.2, 1.8), after=(1.2, 1.8))
    sigma = float(random.uniform(0.016, 0.026))
    if kind == "blurred action":
        return ClipPlan(kind=kind, takes=(take,), camera=Camera(), blurs=(Blur(start=0, end=take.end, sigma=sigma),))
    length = float(random.uniform(0.4, 0.7))
    # The camera loses focus before the action, in its middle, or at the very end.
    start = (0.0, take.actions[0].start + 0.2, take.end - length)[int(random.integers(3))]
    blur = Blur(start=start, end=start + length, sigma=sigma)
    return ClipPlan(kind=kind, takes=(take,), camera=Camera(), blurs=(blur,))


def _still(random: np.random.Generator, kind: str, rule: Rule, split: Split) -> ClipPlan:
    take = _still_take(random, split, (2.0, 5.0))
    move = kind if kind in ("pan", "shake") else "fixed"
    return ClipPlan(kind=kind, takes=(take,), camera=sample_camera(random, move, take.end))


def _cuts(random: np.random.Generator, kind: str, rule: Rule, split: Split) -> ClipPlan:
    takes = [_still_take(random, split, (1.2, 2.2))]
    for _ in range(1 if kind == "dissolve" else int(random.integers(1, 3))):
        other = _still_take(random, split, (1.2, 2.2))
        while other.scene.background.place == takes[-1].scene.background.place:
            other = _still_take(random, split, (1.2, 2.2))
        takes.append(shifted(other, takes[-1].end))
    dissolve = float(random.uniform(0.5, 1.0)) if kind == "dissolve" else 0.0
    return ClipPlan(kind=kind, takes=tuple(takes), camera=Camera(), dissolve_seconds=dissolve)


def _acted_take(
    random: np.random.Generator,
    edit: Edit,
    seconds: tuple[float, float] | None = None,
    before: tuple[float, float] = (0.7, 1.6),
    after: tuple[float, float] = (0.7, 1.8),
) -> Take:
    start = float(random.uniform(*before))
    end = start + float(random.uniform(*(seconds or (0.6, 1.6))))
    action = Action(edit=edit, start=start, end=end)
    return Take(scene=edit.before, start=0.0, end=end + float(random.uniform(*after)), actions=(action,))


def _still_take(random: np.random.Generator, split: Split, seconds: tuple[float, float]) -> Take:
    return Take(scene=sample_scene(random, split), start=0.0, end=float(random.uniform(*seconds)))


_SAMPLERS: dict[str, Callable[[np.random.Generator, str, Rule, Split], ClipPlan]] = {
    **dict.fromkeys(KINDS, _action),
    **dict.fromkeys(("still", "pan", "shake"), _still), **dict.fromkeys(("cuts", "dissolve"), _cuts),
    **dict.fromkeys(("action after cut", "action before cut"), _cut_action),
    **dict.fromkeys(("blurred action", "briefly blurred action"), _blurred_action),
    "two actions": _two_actions, "faded action": _faded_action,
}  # fmt: skip
