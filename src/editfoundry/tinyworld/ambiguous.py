"""Instructions that only the picture makes clear: what "it gets old" means depends on what is there.

Every event has at least four things on which it means different outcomes, all by the rulebook's own trained rules, and
no wording names any of them: whoever reads the text alone can at best guess the commonest.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from editfoundry.tinyworld.edits import Edit, world_edit
from editfoundry.tinyworld.objects import KINDS
from editfoundry.tinyworld.outcome import changed_region
from editfoundry.tinyworld.rule import Rule
from editfoundry.tinyworld.rules import trained_rules
from editfoundry.tinyworld.scene import Scene, picture_of
from editfoundry.tinyworld.scene_sampling import Split, sample_scene
from editfoundry.tinyworld.wrong_outcomes import differ

NUM_OTHERS_OUTCOMES = 4
"""What the instruction would mean for so many other things, at most, is among a case's wrong outcomes."""


@dataclass(frozen=True, kw_only=True)
class AmbiguousEvent:
    """Something that happens, and what it makes of each thing."""

    name: str
    wordings: tuple[str, ...]
    """Instructions seen in training; none names a thing."""
    held_out_wordings: tuple[str, ...]
    """Instructions seen only in the test split."""
    outcomes: tuple[tuple[str, str, str], ...]
    """Kind, state before and state after; each the outcome of a trained rule."""

    @cached_property
    def rules(self) -> tuple[Rule, ...]:
        """The rules that say the outcomes."""
        known = {(rule.kind, rule.before, rule.after): rule for rule in trained_rules()}
        return tuple(known[outcome] for outcome in self.outcomes)

    def applies_to(self, kind: str, state: str) -> bool:
        """Whether the event makes something of a kind in a state."""
        return any((rule.kind, rule.before) == (kind, state) for rule in self.rules)


EVENTS = (
    AmbiguousEvent(
        name="hunger",
        wordings=("Make it ready to eat.", "Somebody is hungry.", "It is time for a meal.", "Serve it."),
        held_out_wordings=("Somebody wants to eat it.", "Make it ready for a meal."),
        outcomes=(
            ("egg", "whole", "fried"), ("apple", "whole", "bitten"), ("cake", "whole", "sliced"),
            ("banana", "green", "ripe"),
        ),
    ),
    AmbiguousEvent(
        name="heat",
        wordings=("What happens to it in the heat?", "It gets very hot.", "Heat it up.", "Show it after a hot hour."),
        held_out_wordings=("What does the heat do to it?", "It is very hot for an hour."),
        outcomes=(
            ("snowman", "standing", "melted"), ("ice cube", "solid", "melted"), ("egg", "whole", "fried"),
            ("campfire", "unlit", "burning"), ("clock", "working", "melting"),
        ),
    ),
    AmbiguousEvent(
        name="age",
        wordings=("It gets old.", "Leave it there for a long time.", "Show it when its time is over.", "Time passes."),
        held_out_wordings=("A long time passes.", "Show it when it is old."),
        outcomes=(
            ("apple", "whole", "rotten"), ("house", "new", "ruined"), ("tree", "green", "autumn"),
            ("tree", "autumn", "bare"), ("candle", "lit", "burnt down"), ("banana", "green", "ripe"),
        ),
    ),
    AmbiguousEvent(
        name="growth",
        wordings=("It grows up.", "Let it grow.", "What will it become?", "Show it when it has grown."),
        held_out_wordings=("What will it become when it grows?", "Show it grown up."),
        outcomes=(
            ("plant", "seed", "sprout"), ("plant", "sprout", "flower"), ("caterpillar", "crawling", "butterfly"),
            ("cake", "whole", "towering"), ("chair", "upright", "long-legged"), ("cat", "sitting", "giant"),
        ),
    ),
    AmbiguousEvent(
        name="accident",
        wordings=("An accident happens to it.", "Somebody is clumsy.", "Oh no!", "Something goes wrong with it."),
        held_out_wordings=("Oh no, an accident!", "Somebody clumsy comes by."),
        outcomes=(
            ("egg", "whole", "broken"), ("glass", "full", "broken"), ("cup", "upright", "spilled"),
            ("chair", "upright", "toppled"), ("balloon", "inflated", "popped"),
        ),
    ),
    AmbiguousEvent(
        name="use",
        wordings=("Use it.", "Somebody needs it now.", "Put it to use.", "Show it in use."),
        held_out_wordings=("Somebody puts it to use.", "It is needed now."),
        outcomes=(
            ("umbrella", "closed", "open"), ("lamp", "off", "on"), ("candle", "unlit", "lit"),
            ("box", "closed", "open"), ("book", "closed", "open"), ("glass", "full", "empty"),
        ),
    ),
    AmbiguousEvent(
        name="magic",
        wordings=("Magic happens.", "It comes from a fairy tale.", "Cast a spell on it.", "Tell its fairy tale."),
        held_out_wordings=("A spell is cast.", "Show it in its fairy tale."),
        outcomes=(
            ("frog", "sitting", "prince"), ("pumpkin", "plain", "carriage"), ("oil lamp", "still", "genie"),
            ("plant", "seed", "beanstalk"), ("house", "new", "gingerbread"), ("cat", "sitting", "boots"),
        ),
    ),
    AmbiguousEvent(
        name="technology",
        wordings=("Make it high technology.", "Show it in science fiction.", "An engineer improves it.", "Upgrade it."),
        held_out_wordings=("An engineer upgrades it.", "Make it science fiction."),
        outcomes=(
            ("car", "side", "hovering"), ("cat", "sitting", "robot"), ("fish", "swimming", "clockwork"),
            ("snail", "crawling", "rocket"), ("tree", "green", "pixel"),
        ),
    ),
)  # fmt: skip
"""All of them. Nothing here can be tidied up: the one thing that folds is an umbrella, whose rule is never trained."""


@dataclass(frozen=True, kw_only=True)
class AmbiguousEdit:
    """An edit that its instruction leaves open."""

    edit: Edit
    event: AmbiguousEvent
    rule: Rule


def ambiguous_rules() -> list[tuple[AmbiguousEvent, Rule]]:
    """Return every event with each of its outcomes' rules: all events' first ones, then their second ones, and so on.

    Events take turns, so that a small number of them covers all events.
    """
    longest = max(len(event.rules) for event in EVENTS)
    return [(event, event.rules[n]) for n in range(longest) for event in EVENTS if n < len(event.rules)]


def sample_ambiguous_edit(
    random: np.random.Generator, split: Split, event: AmbiguousEvent, rule: Rule, held_out_wording: bool = False
) -> AmbiguousEdit:
    """Draw a scene in which ``event`` makes something of one thing alone, by ``rule``, and one of its wordings."""
    while True:
        scene = sample_scene(random, split, kind=rule.kind, state=rule.before)
        touched = [i for i, thing in enumerate(scene.objects) if event.applies_to(thing.kind, thing.state)]
        if len(touched) == 1:
            wordings = event.held_out_wordings if held_out_wording else event.wordings
            wording = wordings[int(random.integers(len(wordings)))]
            return AmbiguousEdit(edit=world_edit(scene, touched[0], rule, wording), event=event, rule=rule)


def others_outcomes(random: np.random.Generator, ambiguous: AmbiguousEdit) -> list[Scene]:
    """Return what the instruction would mean for other things: these, as they become, in the thing's place."""
    edit, rule = ambiguous.edit, ambiguous.rule
    assert edit.index is not None
    before, truth = picture_of(edit.before), picture_of(edit.after)
    region = changed_region(before, truth)
    others = [other for other in ambiguous.event.rules if other.kind != rule.kind]
    found: list[Scene] = []
    for number in random.permutation(len(others)):
        other = others[int(number)]
        thing = replace(
            edit.after.objects[edit.index], kind=other.kind, state=other.after, colour=KINDS[other.kind].colours[0]
        )
        scene = replace(
            edit.after, objects=tuple(thing if i == edit.index else o for i, o in enumerate(edit.after.objects))
        )
        if all(differ(picture_of(scene), picture, region) for picture in (before, truth)):
            found.append(scene)
    return found[:NUM_OTHERS_OUTCOMES]


def text_only_bound(rules: list[tuple[AmbiguousEvent, Rule]]) -> float:
    """Return the share of cases that the best guess from the text alone gets right: each event's commonest thing."""
    right = 0
    for event in EVENTS:
        kinds = [(rule.kind, rule.before) for drawn, rule in rules if drawn is event]
        right += max(map(kinds.count, kinds), default=0)
    return right / len(rules)
