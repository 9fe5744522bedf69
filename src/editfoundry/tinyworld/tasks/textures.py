"""The task ``texture``: a thing of another make, its outline and its shading kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from editfoundry.data.edit_tasks import EditTask
from editfoundry.tinyworld.edits import the_phrase
from editfoundry.tinyworld.pen import SUPERSAMPLING
from editfoundry.tinyworld.scene import Scene, paint, silhouettes
from editfoundry.tinyworld.scene_sampling import Split, sample_scene
from editfoundry.tinyworld.tasks.drawn_scenes import pick
from editfoundry.tinyworld.tasks.likenesses import changed_likenesses
from editfoundry.tinyworld.tasks.task_edit import Drawing, TaskEdit, drawing_of
from editfoundry.tinyworld.tasks.wording import Wordings, placed, with_adjective, with_article

WORDINGS = Wordings(
    ("Make {the} look {texture}.", "Give {the} {a_texture} texture.", "Change the surface of {the} to {texture}."),
    ("{the} should look {texture}.", "Cover {the} with {a_texture} pattern."),
)
_PERIOD = 0.11
"""Width of a stripe and its gap, as a share of the picture."""

Pattern = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""From columns and rows in periods, each ``(H, W)`` float, to ``(H, W, 3)`` float RGB in [0, 255]."""


def _two(first: tuple[int, int, int], second: tuple[int, int, int], where: np.ndarray) -> np.ndarray:
    return np.where(where[..., None], np.array(first, float), np.array(second, float))


def _striped(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return _two((250, 250, 250), (40, 40, 48), (x + y) % 1 < 0.5)


def _spotted(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    column = x + 0.5 * (np.floor(y) % 2)
    return _two((220, 40, 60), (255, 240, 230), np.hypot(column % 1 - 0.5, y % 1 - 0.5) < 0.3)


def _checkered(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return _two((250, 220, 60), (50, 70, 170), (np.floor(x * 1.4) + np.floor(y * 1.4)) % 2 < 1)


def _wooden(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    grain = 0.5 + 0.5 * np.sin(2 * np.pi * (y * 1.1 + 0.25 * np.sin(x * 1.7)))
    return np.array([118, 74, 36], float) + grain[..., None] * np.array([84, 62, 40], float)


def _golden(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    gleam = np.clip(1.4 - 2.2 * np.abs((x - y) % 3.2 / 1.6 - 1), 0, 1)
    return np.array([222, 166, 24], float) + gleam[..., None] * np.array([33, 78, 150], float)


def _stone(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    grain = np.sin(3.1 * x + 1.3 * y) * np.sin(2.3 * y - 2.9 * x) + 0.7 * np.sin(7.7 * x + 5 * y) * np.sin(
        6.1 * y - 4 * x
    )
    return 142.0 + 44.0 * np.clip(grain, -1, 1)[..., None] * np.ones(3)


def _brick(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    row = np.floor(y * 1.6)
    mortar = ((y * 1.6) % 1 < 0.24) | ((x * 0.9 + 0.5 * (row % 2)) % 1 < 0.14)
    return _two((226, 216, 204), (174, 70, 48), mortar)


def _icy(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    crack = np.abs(np.sin(1.9 * x + 0.8 * np.sin(1.3 * y)) * np.sin(1.6 * y - 0.9 * x)) < 0.13
    return _two((255, 255, 255), (140, 208, 244), crack)


TEXTURES: dict[str, Pattern] = {
    "striped": _striped,
    "spotted": _spotted,
    "checkered": _checkered,
    "wooden": _wooden,
    "golden": _golden,
    "stone": _stone,
    "brick": _brick,
    "icy": _icy,
}
"""Adjective -> its pattern."""


def textured(scene: Scene, index: int, texture: str, side: int) -> np.ndarray:
    """Draw a scene with a thing's surface of another make: ``(side, side, 3)`` uint8 RGB."""
    canvas = np.asarray(paint(scene, side).convert("RGB")).astype(np.float32)
    shown = silhouettes(scene, side)[index]
    rows, columns = np.nonzero(shown)
    if len(rows):
        unit = _PERIOD * side * SUPERSAMPLING
        pattern = TEXTURES[texture]((columns - columns.min()) / unit, (rows - rows.min()) / unit)
        canvas[shown] = np.clip(pattern * _shading(canvas[shown])[:, None], 0, 255)
    return canvas.reshape(side, SUPERSAMPLING, side, SUPERSAMPLING, 3).mean(axis=(1, 3)).round().astype(np.uint8)


def _shading(pixels: np.ndarray) -> np.ndarray:
    """Return how light each of a thing's ``(N, 3)`` pixels is beside the others, within bounds: ``(N,)``."""
    light = pixels.mean(axis=-1)
    return np.clip(0.55 + 0.45 * light / max(float(np.median(light)), 1.0), 0.5, 1.15)


def sample_texture(random: np.random.Generator, split: Split, held_out_wording: bool) -> TaskEdit:
    """Draw a thing that is to be of another make."""
    return texture_of(random, sample_scene(random, split), held_out_wording)


def texture_of(random: np.random.Generator, scene: Scene, held_out_wording: bool = False) -> TaskEdit:
    """Draw which thing of a scene gets which make."""
    index = int(random.integers(len(scene.objects)))
    texture = pick(random, list(TEXTURES))
    thing = scene.objects[index]
    said = {"the": the_phrase(thing), "texture": texture, "a_texture": with_article(texture)}
    return TaskEdit(
        task=EditTask.TEXTURE,
        instruction=WORDINGS.say(random, held_out_wording, **said),
        said=said,
        input_caption=scene.caption,
        output_caption=_caption(scene, index, texture),
        before=drawing_of(scene),
        after=lambda side: textured(scene, index, texture, side),
        wrong=lambda drawn: _wrong(drawn, scene, index, texture),
        changes=thing.kind,
        index=index,
    )


def _caption(scene: Scene, index: int, texture: str) -> str:
    phrases = [thing.placed_phrase for thing in scene.objects]
    thing = scene.objects[index]
    phrases[index] = placed(thing, with_adjective(thing.phrase, texture))
    return f"{' and '.join(phrases)} {scene.background.phrase}"


def _wrong(random: np.random.Generator, scene: Scene, index: int, texture: str) -> Iterator[Drawing]:
    for other in TEXTURES:
        if other != texture:
            yield lambda side, other=other: textured(scene, index, other, side)  # type: ignore[misc]
    yield from map(drawing_of, changed_likenesses(random, scene, index))
