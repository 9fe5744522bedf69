"""The task ``style``: the same picture drawn in another way, by a fixed rule."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import cv2
import numpy as np

from editfoundry.data.edit_tasks import EditTask
from editfoundry.tinyworld.scene import IMAGE_SIZE, Scene
from editfoundry.tinyworld.scene_sampling import Split, sample_scene
from editfoundry.tinyworld.tasks.drawn_scenes import pick
from editfoundry.tinyworld.tasks.likenesses import like_scenes
from editfoundry.tinyworld.tasks.task_edit import Drawing, TaskEdit, drawing_of
from editfoundry.tinyworld.tasks.wording import Wordings, with_article

WORDINGS = Wordings(
    ("Turn the picture into {a_style}.", "Make it look like {a_style}.", "Redraw the picture as {a_style}."),
    ("Let the picture be {a_style}.", "I want to see this as {a_style}."),
)


def _pencil(picture: np.ndarray) -> np.ndarray:
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    tone = np.clip(grey / np.maximum(_blurred(grey, 2.2), 1), 0, 1) * 255
    shaded = 0.75 * tone + 0.25 * (150 + 0.41 * grey)
    return np.repeat(shaded[..., None], 3, axis=-1)


def _pixel_art(picture: np.ndarray) -> np.ndarray:
    cells = max(1, picture.shape[0] * 3 // 64)
    small = cv2.resize(
        picture, (-(-picture.shape[1] // cells), -(-picture.shape[0] // cells)), interpolation=cv2.INTER_AREA
    )
    blocks = np.kron(np.round(small / 51.0) * 51.0, np.ones((cells, cells, 1)))
    return np.asarray(blocks[: picture.shape[0], : picture.shape[1]])


def _watercolour(picture: np.ndarray) -> np.ndarray:
    wet = picture
    for _ in range(3):
        wet = cv2.bilateralFilter(wet, _odd(wet, 5), 60, 0.06 * wet.shape[0])
    soft = _blurred(wet.astype(np.float32), 0.9)
    return np.clip(soft * 0.62 + 255 * 0.38 - 0.5 * _outlines(wet), 0, 255)


def _poster(picture: np.ndarray) -> np.ndarray:
    vivid = _saturated(picture.astype(np.float32), 1.7)
    return np.asarray(np.floor(np.clip(vivid, 0, 255) / 86) * 127)


def _old_photograph(picture: np.ndarray) -> np.ndarray:
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)[..., None] / 255
    sepia = np.array([54, 38, 22]) + grey * np.array([190, 176, 140])
    rows, columns = np.meshgrid(*(np.linspace(-1, 1, n) for n in picture.shape[:2]), indexing="ij")
    return sepia * (1 - 0.42 * np.clip(np.hypot(rows, columns) - 0.45, 0, 1))[..., None]


def _neon(picture: np.ndarray) -> np.ndarray:
    lines = _outlines(picture) * _saturated(picture.astype(np.float32), 2.2).clip(60, 255) / 90
    return np.clip(np.array([16, 8, 34]) + lines + 0.9 * _blurred(lines, 1.4), 0, 255)


def _mosaic(picture: np.ndarray) -> np.ndarray:
    tile = max(2, picture.shape[0] // 16)
    small = cv2.resize(picture, (picture.shape[1] // tile, picture.shape[0] // tile), interpolation=cv2.INTER_AREA)
    tiles = cv2.resize(small, picture.shape[1::-1], interpolation=cv2.INTER_NEAREST).astype(np.float32)
    rows, columns = np.indices(picture.shape[:2]) % tile
    grout = max(1, tile // 4)
    return np.where(((rows < grout) | (columns < grout))[..., None], 58.0, tiles)


def _comic(picture: np.ndarray) -> np.ndarray:
    flat = np.round(_saturated(picture.astype(np.float32), 1.5).clip(0, 255) / 64) * 64
    rows, columns = np.indices(picture.shape[:2]) * IMAGE_SIZE // picture.shape[0]
    dots = ((rows + columns) % 4 == 0) & ((rows - columns) % 4 == 0) & (flat.mean(axis=-1) > 110)
    inked = _outlines(picture).max(axis=-1) > 48
    return np.where(inked[..., None], 12.0, np.where(dots[..., None], 255.0, flat.clip(0, 255)))


STYLES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "pencil drawing": _pencil,
    "pixel art picture": _pixel_art,
    "watercolour": _watercolour,
    "poster": _poster,
    "old photograph": _old_photograph,
    "neon sign": _neon,
    "mosaic": _mosaic,
    "comic": _comic,
}
"""Name -> from ``(H, W, 3)`` uint8 RGB to the same picture in this style, float in [0, 255]."""


def styled(drawing: Drawing, style: str) -> Drawing:
    """Return what draws a picture in a style."""
    return lambda side: STYLES[style](drawing(side)).round().clip(0, 255).astype(np.uint8)


def sample_style(random: np.random.Generator, split: Split, held_out_wording: bool) -> TaskEdit:
    """Draw a scene and a style."""
    return style_of(random, sample_scene(random, split), held_out_wording)


def style_of(random: np.random.Generator, scene: Scene, held_out_wording: bool = False) -> TaskEdit:
    """Draw a style for a scene."""
    style = pick(random, list(STYLES))
    said = {"a_style": with_article(style)}
    return TaskEdit(
        task=EditTask.STYLE,
        instruction=WORDINGS.say(random, held_out_wording, **said),
        said=said,
        input_caption=scene.caption,
        output_caption=f"{with_article(style)} of {scene.caption}",
        before=drawing_of(scene),
        after=styled(drawing_of(scene), style),
        wrong=lambda drawn: _wrong(drawn, scene, style),
        changes=style,
    )


def _wrong(random: np.random.Generator, scene: Scene, style: str) -> Iterator[Drawing]:
    yield from (styled(drawing_of(scene), other) for other in STYLES if other != style)
    yield from (styled(drawing_of(other), style) for other in like_scenes(random, scene))


def _blurred(picture: np.ndarray, radius: float) -> np.ndarray:
    """Blur by a Gaussian; ``radius`` is its standard deviation in pixels of 64."""
    return cv2.GaussianBlur(picture, (0, 0), radius * picture.shape[0] / IMAGE_SIZE)


def _outlines(picture: np.ndarray) -> np.ndarray:
    """Return how much a picture changes around each pixel, a channel: the same shape, float."""
    kernel = np.ones((_odd(picture, 3),) * 2, np.uint8)
    return cv2.morphologyEx(picture, cv2.MORPH_GRADIENT, kernel).astype(np.float32)


def _odd(picture: np.ndarray, pixels: int) -> int:
    """Return an odd number of pixels, ``pixels`` of a picture of 64."""
    return max(1, round(pixels * picture.shape[0] / IMAGE_SIZE)) // 2 * 2 + 1


def _saturated(picture: np.ndarray, factor: float) -> np.ndarray:
    grey = picture.mean(axis=-1, keepdims=True)
    return np.asarray(grey + (picture - grey) * factor)
