"""Rendered training pictures, cached on disk and read through a memory map."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from editfoundry.pretraining.parallel_drawing import drawn
from editfoundry.tinyworld.scene import IMAGE_SIZE, Scene, render

MOST_SOFTENED = 0.7
"""Share of the mean of its neighbours that a pixel of `noisy_pixels` gets at most."""
MOST_NOISE = 0.05
"""Largest standard deviation of noise, of values in [-1, 1]."""


def cached_array(
    path: Path, shape: tuple[int, ...], dtype: str, blocks: Callable[[], Iterable[np.ndarray]]
) -> np.ndarray:
    """Return ``path`` as a read-only memory map, filled with ``blocks()``, which have its rows, when it is missing."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        # Trainings that run beside each other may make the same one.
        partial = path.with_suffix(f".{os.getpid()}.partial")
        array = np.lib.format.open_memmap(partial, mode="w+", dtype=np.dtype(dtype), shape=shape)
        start = 0
        for block in blocks():
            array[start : start + len(block)] = block
            start += len(block)
        array.flush()
        del array
        os.replace(partial, path)
    return np.load(path, mmap_mode="r")


def rendered(path: Path, scenes: Sequence[Scene]) -> np.ndarray:
    """Return the scenes' pictures, ``(N, 64, 64, 3)`` uint8 RGB, rendering them once."""
    return cached_array(path, (len(scenes), IMAGE_SIZE, IMAGE_SIZE, 3), "uint8", lambda: drawn(render, scenes))


def drawn_maps(path: Path, count: int, draw: Callable[[int], np.ndarray]) -> np.ndarray:
    """Return a map of each of ``count`` scenes, ``(count, 64, 64)`` uint8, drawing them once.

    Args:
        path: of the cache.
        count: of scenes, numbered from 0.
        draw: returns the map of the scene of a number; it can be pickled.
    """
    return cached_array(path, (count, IMAGE_SIZE, IMAGE_SIZE), "uint8", lambda: drawn(draw, range(count)))


def to_pixels(images: np.ndarray) -> Tensor:
    """Turn ``(B, H, W, 3)`` uint8 into ``(B, 3, H, W)`` float in [-1, 1]."""
    return as_pixels(torch.from_numpy(np.array(images)))


def as_pixels(images: Tensor) -> Tensor:
    """Turn ``(B, H, W, 3)`` uint8 into ``(B, 3, H, W)`` float in [-1, 1], where the tensor is."""
    return images.permute(0, 3, 1, 2).float() / 127.5 - 1


def to_images(pixels: Tensor) -> np.ndarray:
    """Turn ``(B, 3, H, W)`` float in [-1, 1] into ``(B, H, W, 3)`` uint8."""
    return ((pixels.float().clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).cpu().numpy()


def noisy_pixels(images: np.ndarray, generator: torch.Generator) -> Tensor:
    """Turn ``(B, H, W, 3)`` uint8 into pixels for what looks at painted pictures, which are not as clean as drawn ones.

    Each is softened by its own share, and gets noise of its own strength.

    Returns:
        ``(B, 3, H, W)`` float, about [-1, 1].
    """
    pixels = to_pixels(images)
    shares, strengths = torch.rand(2, len(pixels), 1, 1, 1, generator=generator)
    softened = torch.nn.functional.avg_pool2d(pixels, 3, stride=1, padding=1, count_include_pad=False)
    pixels = torch.lerp(pixels, softened, MOST_SOFTENED * shares)
    noise = torch.randn(pixels.shape, generator=generator)
    return pixels + noise * strengths * MOST_NOISE
