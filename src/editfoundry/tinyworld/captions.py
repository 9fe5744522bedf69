"""Captions and scenes: reading a canonical caption back, the words an edit is about, and LAION-schema tables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from editfoundry.tinyworld.backgrounds import Background, all_backgrounds
from editfoundry.tinyworld.objects import KINDS
from editfoundry.tinyworld.rules import trained_rules
from editfoundry.tinyworld.scene import IMAGE_SIZE, SIZES, Scene, SceneObject
from editfoundry.tinyworld.scene_sampling import held_out_position, random_stream, sample_scene

_FUNCTION_WORDS = frozenset("a an the in on of with from and to small large seen very far away that has".split())


def scene_from_caption(caption: str) -> Scene:
    """Read a canonical caption back into a scene with everything the caption leaves open at its default.

    A colour that the caption leaves open is one that training may show at that position.

    Raises:
        ValueError: the caption is not one that ``Scene.caption`` writes; the message names the part.
    """
    phrase, background = next(((p, b) for p, b in _background_phrases() if caption.endswith(" " + p)), (None, None))
    if phrase is None or background is None:
        raise ValueError(f"caption {caption!r} names no background of tinyworld")
    what = caption[: -len(phrase) - 1]
    if what == "nothing":
        return Scene(background=background)
    return Scene(background=background, objects=tuple(_read_object(part) for part in what.split(" and ")))


def object_named(phrase: str, position: str) -> SceneObject | None:
    """Return an object that is called so, at a position; None where nothing is."""
    found = _object_phrases().get(phrase)
    if found is None:
        return None
    kind, state, colour, size = found
    return SceneObject(kind=kind, state=state, colour=colour, size=size, position=position)


def background_named(phrase: str) -> Background | None:
    """Return the background that is called so; None where none is."""
    return dict(_background_phrases()).get(phrase)


def keywords_of(scene: Scene, index: int) -> tuple[str, ...]:
    """Return the single words of the caption that name object ``index`` (EditWorld's keywords)."""
    words = re.findall(r"[\w'-]+", scene.objects[index].phrase)
    return tuple(dict.fromkeys(w for w in words if w not in _FUNCTION_WORDS))


def laion_rows(count: int, seed: int) -> Iterator[dict[str, object]]:
    """Yield ``count`` rows in the schema of LAION-Aesthetics V2, at least four fifths of which a trained rule fits.

    Like the real tables they hold some duplicates, watermarked and unsafe rows; their scores are seeded draws.
    """
    caption = ""
    for number in range(count):
        random = random_stream("laion", seed, number)
        if number % 40 != 39:
            caption = _sample_caption(random, with_rule=random.random() < 0.8)
        yield {
            "URL": f"https://tinyworld.invalid/{seed}/{number}.png",
            "TEXT": caption,
            "WIDTH": IMAGE_SIZE,
            "HEIGHT": IMAGE_SIZE,
            "similarity": round(float(random.uniform(0.28, 0.42)), 4),
            "punsafe": round(float(random.beta(1, 60)), 5),
            "pwatermark": round(float(random.beta(1, 12)), 5),
            "AESTHETIC_SCORE": round(float(random.uniform(5.5, 7.5)), 4),
            "hash": int(random.integers(2**62)),
        }


def write_laion_table(path: Path, count: int, seed: int) -> None:
    """Write ``laion_rows`` as a Parquet file, in full or not at all."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    pq.write_table(pa.Table.from_pylist(list(laion_rows(count, seed))), partial)
    partial.replace(path)


def _sample_caption(random: np.random.Generator, with_rule: bool) -> str:
    if not with_rule:
        return sample_scene(random).caption
    rules = trained_rules()
    rule = rules[int(random.integers(len(rules)))]
    return sample_scene(random, kind=rule.kind, state=rule.before).caption


def _read_object(text: str) -> SceneObject:
    match = re.fullmatch(r"(.*?)(?: on the (left|right))?", text)
    assert match is not None
    thing = object_named(match[1], match[2] or "middle")
    if thing is None:
        raise ValueError(f"{match[1]!r} is no object of tinyworld")
    if "{colour}" in KINDS[thing.kind].states[thing.state].phrase:
        return thing
    colours = KINDS[thing.kind].colours
    allowed = (c for c in colours if held_out_position(thing.kind, c) != thing.position)
    return replace(thing, colour=next(allowed, thing.colour))


@lru_cache(maxsize=1)
def _background_phrases() -> tuple[tuple[str, Background], ...]:
    return tuple(sorted(((b.phrase, b) for b in all_backgrounds()), key=lambda pair: -len(pair[0])))


@lru_cache(maxsize=1)
def _object_phrases() -> dict[str, tuple[str, str, str, str]]:
    phrases: dict[str, tuple[str, str, str, str]] = {}
    for kind in KINDS.values():
        for state in kind.states:
            for colour in kind.colours:
                for size in SIZES:
                    thing = SceneObject(kind=kind.name, state=state, colour=colour, size=size)
                    phrases.setdefault(thing.phrase, (kind.name, state, colour, size))
    return phrases
