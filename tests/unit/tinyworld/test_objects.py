"""Every kind of object: drawable in each state, told apart by eye and by name, continuous in between."""

from itertools import combinations

import numpy as np
import pytest

from editfoundry.tinyworld.backgrounds import Background
from editfoundry.tinyworld.kinds import Kind, State
from editfoundry.tinyworld.objects import KINDS
from editfoundry.tinyworld.scene import SIZES, Morph, Scene, SceneObject, render

BEACH = Background("beach")
EMPTY = render(Scene(background=BEACH)).astype(int)


def picture(kind: str, state: str, morph: Morph | None = None) -> np.ndarray:
    """``kind`` alone on the beach, ``(64, 64, 3)`` int."""
    thing = SceneObject(kind=kind, state=state, colour=KINDS[kind].colours[0])
    return render(Scene(background=BEACH, objects=(thing,)), morph=morph).astype(int)


def num_changed(first: np.ndarray, second: np.ndarray) -> int:
    return int((np.abs(first - second).max(axis=-1) > 8).sum())


def test_there_are_at_least_24_kinds() -> None:
    assert len(KINDS) >= 24


@pytest.mark.parametrize("kind", KINDS)
def test_every_state_shows_and_differs_visibly_from_the_other_states(kind: str) -> None:
    pictures = {state: picture(kind, state) for state in KINDS[kind].states}
    for state, drawn in pictures.items():
        assert num_changed(drawn, EMPTY) >= 40, state
    for first, second in combinations(pictures, 2):
        assert num_changed(pictures[first], pictures[second]) >= 60, (first, second)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if len(KINDS[kind].colours) > 1])
def test_a_colour_that_the_caption_names_shows(kind: str) -> None:
    for state, description in KINDS[kind].states.items():
        if "{colour}" not in description.phrase:
            continue
        drawn = [
            render(Scene(background=BEACH, objects=(SceneObject(kind=kind, state=state, colour=c),))).astype(int)
            for c in KINDS[kind].colours
        ]
        assert all(num_changed(a, b) >= 12 for a, b in combinations(drawn, 2)), state


@pytest.mark.parametrize("kind", KINDS)
def test_small_steps_between_two_states_make_small_changes(kind: str) -> None:
    first, *others = KINDS[kind].states
    for other in others:
        whole = np.abs(picture(kind, first) - picture(kind, other)).sum()
        for progress in (0.0, 0.33, 0.7):
            near = [picture(kind, first, Morph(index=0, state=other, progress=progress + d)) for d in (0.0, 0.02)]
            assert np.abs(near[0] - near[1]).sum() < 0.35 * whole, (other, progress)


@pytest.mark.parametrize("kind", KINDS)
def test_a_morph_starts_at_one_state_and_ends_at_the_other(kind: str) -> None:
    first, second, *_ = KINDS[kind].states
    assert np.array_equal(picture(kind, first, Morph(index=0, state=second, progress=0.0)), picture(kind, first))
    assert np.array_equal(picture(kind, first, Morph(index=0, state=second, progress=1.0)), picture(kind, second))


def test_only_things_that_look_alike_share_a_phrase() -> None:
    owners: dict[str, tuple[str, ...]] = {}
    for kind in KINDS.values():
        for state, description in kind.states.items():
            for colour in kind.colours:
                for size in SIZES:
                    phrase = SceneObject(kind=kind.name, state=state, colour=colour, size=size).phrase
                    owner = (kind.name, state, colour if "{colour}" in description.phrase else "", size)
                    assert owners.setdefault(phrase, owner) == owner, phrase


def test_an_article_fits_the_word_that_follows() -> None:
    kind = KINDS["apple"]
    assert kind.phrase("whole", "red") == "a red apple"
    assert all(not kind.phrase("whole", c).startswith("a o") for c in kind.colours)
    assert KINDS["banana"].phrase("green", KINDS["banana"].colours[0]) == "an unripe green banana"


def test_states_with_different_look_keys_are_refused() -> None:
    states = {"a": State(phrase="a thing", look={"x": 0.0}), "b": State(phrase="a stuff", look={"y": 0.0})}
    with pytest.raises(ValueError, match="different keys"):
        Kind(name="thing", draw=lambda pen, look, colour: None, states=states, colours=("red",))
