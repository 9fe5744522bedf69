"""The benchmarks: every category, every case answerable, the same cases every time."""

import hashlib
from collections import Counter

import numpy as np
import pytest

from editfoundry.data.record import PLAIN_CATEGORIES, WORLD_CATEGORIES
from editfoundry.tinyworld.benchmark import ambiguous_cases, case_of_edit, plain_cases, world_cases
from editfoundry.tinyworld.captions import scene_from_caption
from editfoundry.tinyworld.edit_case import EditCase
from editfoundry.tinyworld.edits import Edit, sample_plain_edit
from editfoundry.tinyworld.guesses import is_guessed
from editfoundry.tinyworld.objects import KINDS
from editfoundry.tinyworld.outcome import defect
from editfoundry.tinyworld.rules import new_rules, trained_rules
from editfoundry.tinyworld.scene import Scene
from editfoundry.tinyworld.scene_sampling import is_held_out, random_stream
from editfoundry.tinyworld.tasks.task_benchmark import task_cases
from editfoundry.tinyworld.turns import turn_cases
from editfoundry.tinyworld.wrong_outcomes import shows


@pytest.fixture(scope="module")
def world() -> list[EditCase]:
    return world_cases("test", 49, seed=0)


@pytest.fixture(scope="module")
def plain() -> list[EditCase]:
    return plain_cases(30, seed=0)


def test_one_round_of_world_cases_has_every_trained_rule_and_all_seven_categories(world: list[EditCase]) -> None:
    assert {c.rule for c in world} == {r.name for r in trained_rules()}
    assert {c.category for c in world} == set(WORLD_CATEGORIES)
    assert min(Counter(c.category for c in world).values()) >= 5


def test_a_handful_of_world_cases_covers_most_categories() -> None:
    assert len({c.category for c in world_cases("test", 7, seed=0)}) >= 5


def test_the_new_rules_benchmark_has_only_rules_that_are_never_trained() -> None:
    cases = world_cases("test-new-rules", 8, seed=0)
    assert {c.rule for c in cases} == {r.name for r in new_rules()}
    assert [defect(case) for case in cases] == [None] * 8


def leaves_a_colour_open(scene: Scene) -> bool:
    return any(
        "{colour}" not in KINDS[o.kind].states[o.state].phrase for o in scene.objects if len(KINDS[o.kind].colours) > 1
    )


def test_world_cases_use_unseen_wordings_and_unseen_combinations(world: list[EditCase]) -> None:
    trained = {wording for rule in trained_rules() for wording in rule.wordings}
    assert not any(case.instruction in trained for case in world)
    scenes = [scene_from_caption(case.input_caption) for case in world]
    assert all(is_held_out(scene) or leaves_a_colour_open(scene) for scene in scenes)
    assert sum(map(leaves_a_colour_open, scenes)) < len(scenes) / 4


def test_plain_cases_take_the_three_plain_categories_in_turns(plain: list[EditCase]) -> None:
    assert Counter(c.category for c in plain) == dict.fromkeys(PLAIN_CATEGORIES, 10)


def test_every_case_can_be_answered_rightly(world: list[EditCase], plain: list[EditCase]) -> None:
    assert {defect(case) for case in world + plain} == {None}
    assert all(len(case.wrong_outputs) >= 12 for case in world + plain)


DRAWN = {
    "world": lambda: world_cases("test", 14, seed=0),
    "new rules": lambda: world_cases("test-new-rules", 6, seed=0),
    "plain": lambda: plain_cases(9, seed=0),
    "ambiguous": lambda: ambiguous_cases(9, seed=0),
    "tasks": lambda: task_cases(15, seed=0),
    "turns": lambda: [turn.case for turn in turn_cases(4, seed=0)],
}
DIGESTS = {
    "world": "265b0cc4e394d396",
    "new rules": "67cd6b045cb8b029",
    "plain": "e32556f53240f053",
    "ambiguous": "a1d4126a6fe9a263",
    "tasks": "8aa54c5a66b438ac",
    "turns": "db3b9f5919167191",
}


@pytest.mark.parametrize("name", DRAWN)
def test_a_seed_draws_the_pictures_that_published_figures_were_measured_on(name: str) -> None:
    digest = hashlib.sha256()
    for case in DRAWN[name]():
        digest.update("|".join((case.id, case.category, case.instruction, case.output_caption)).encode())
        for pictures in (case.input_image, case.true_output, case.wrong_outputs, case.open_outputs):
            digest.update(b"" if pictures is None else pictures.tobytes())
    assert digest.hexdigest()[:16] == DIGESTS[name]


def test_another_seed_draws_other_cases_and_a_case_is_drawn_once(world: list[EditCase]) -> None:
    again, other = world_cases("test", 6, seed=0), world_cases("test", 6, seed=1)
    assert all(first is second for first, second in zip(world, again, strict=False))
    assert all(not np.array_equal(a.input_image, b.input_image) for a, b in zip(world, other, strict=False))
    assert len({case.id for case in world}) == len(world)


def test_every_case_knows_what_it_changes(world: list[EditCase], plain: list[EditCase]) -> None:
    assert all(case.changes == case.rule.split(":")[0] for case in world)
    assert {case.changes for case in plain} <= {*KINDS, "background"}


def test_no_case_is_answered_by_a_guess(world: list[EditCase], plain: list[EditCase]) -> None:
    assert not any(is_guessed(case) for case in world + plain)


def test_a_thing_removed_from_plain_ground_is_answered_by_guesses() -> None:
    """Flat grass is near whatever else is green: such a case tells nothing, and the benchmarks draw another."""
    guessed = [is_guessed(case_of_edit(str(n), edit, random_stream(n))) for n, edit in enumerate(removals(12))]
    assert any(guessed)


def removals(count: int) -> list[Edit]:
    edits = (sample_plain_edit(random_stream("removals", n), "test", "remove") for n in range(10 * count))
    return [edit for edit in edits if shows(edit)][:count]


def test_cases_are_the_same_ones_at_any_size(plain: list[EditCase]) -> None:
    large = plain_cases(3, seed=0, side=256)
    assert [(case.id, case.instruction) for case in large] == [(c.id, c.instruction) for c in plain_cases(3, seed=0)]
    assert large[0].input_image.shape == large[0].true_output.shape == (256, 256, 3)
    reduced = large[0].input_image.reshape(64, 4, 64, 4, 3).mean((1, 3))
    assert abs(reduced - plain_cases(1, seed=0)[0].input_image).mean() < 4
