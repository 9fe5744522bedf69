"""Sessions of several edits of one picture, each with its exact outcome: to see what an editor loses on the way."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from editfoundry.data.edit_tasks import EditTask
from editfoundry.tinyworld.benchmark import case_of_edit
from editfoundry.tinyworld.edit_case import EditCase
from editfoundry.tinyworld.edits import Edit, sample_edit_of
from editfoundry.tinyworld.guesses import is_guessed
from editfoundry.tinyworld.kept_cases import NUM_KEPT_CASES
from editfoundry.tinyworld.outcome import changed_region, defect
from editfoundry.tinyworld.scene import Scene
from editfoundry.tinyworld.scene_sampling import random_stream, sample_scene
from editfoundry.tinyworld.wrong_outcomes import shows

NUM_TURNS = 4
MIN_LEFT = 0.25
"""Share of the picture that no turn of a session may change: drift is measured there."""
_TASKS = {"add": EditTask.ADD, "change": EditTask.LOCAL, "remove": EditTask.REMOVE}
_TRIES = 40


@dataclass(frozen=True)
class TurnCase:
    """One turn of a session."""

    session: str
    turn: int
    """From 0."""
    case: EditCase
    """Its input is the true outcome of the turn before it."""


def turn_cases(count: int, seed: int) -> list[TurnCase]:
    """Return ``count`` turns: sessions of `NUM_TURNS` plain edits in trained wordings, their first scenes unseen.

    The last session may be shorter. Things are added, removed, replaced and recoloured; the background stays.
    """
    turns: list[TurnCase] = []
    for number in range(-(-count // NUM_TURNS)):
        turns += _drawn_session(seed, number)
    return turns[:count]


@lru_cache(NUM_KEPT_CASES // NUM_TURNS)
def _drawn_session(seed: int, number: int) -> list[TurnCase]:
    name, random, session = f"turns-{seed}-{number:05d}", random_stream("benchmark", "turns", seed, number), None
    while session is None:
        session = _session(name, random, sample_scene(random, "test"))
    return session


def _session(name: str, random: np.random.Generator, scene: Scene) -> list[TurnCase] | None:
    """Return a session that begins with a scene; None where no edit can follow or too little would be left."""
    turns: list[TurnCase] = []
    touched: np.ndarray | None = None
    for turn in range(NUM_TURNS):
        drawn = _turn(f"{name}-{turn}", random, scene)
        if drawn is None:
            return None
        edit, case = drawn
        turns.append(TurnCase(name, turn, replace(case, touched=touched)))
        region = changed_region(case.input_image, case.true_output)
        touched, scene = (region if touched is None else touched | region), edit.after
    return turns if touched is not None and float((~touched).mean()) >= MIN_LEFT else None


def _turn(identifier: str, random: np.random.Generator, scene: Scene) -> tuple[Edit, EditCase] | None:
    """Draw edits of a scene until one can be judged and no guess answers it."""
    for _ in range(_TRIES):
        edit = sample_edit_of(random, scene)
        if edit.before.background != edit.after.background or not shows(edit):
            continue
        case = case_of_edit(identifier, edit, random)
        if defect(case) is None and not is_guessed(case):
            return edit, replace(case, task=str(_TASKS[edit.category]))
    return None
