"""No part of a hole is lost on the way to a model's size, and what is wide enough stays as it is."""

import numpy as np
import pytest
import torch
from function_editors import request
from PIL import Image, ImageDraw

from editfoundry.editors.caption_training.object_masks import OBJECT_MASKS, mask_draws, padded_boxes
from editfoundry.editors.holes import hole_at_size, with_lost_cells

RANDOM = np.random.default_rng(0)


def grey(levels: np.ndarray) -> Image.Image:
    return Image.fromarray(levels.astype(np.uint8))


@pytest.mark.parametrize("size", [(8, 8), (16, 12), (7, 5), (64, 3)])
def test_a_smaller_pixel_is_painted_where_any_pixel_is_that_it_stands_for(size: tuple[int, int]) -> None:
    pixels = RANDOM.random((48, 64)) < 0.01
    seen = np.asarray(hole_at_size(grey(pixels * 200), size))
    for row, column in np.ndindex(seen.shape):
        rows, columns = 48 / size[1], 64 / size[0]
        own = pixels[
            int(row * rows + 1e-9) : int(np.ceil((row + 1) * rows - 1e-9)),
            int(column * columns + 1e-9) : int(np.ceil((column + 1) * columns - 1e-9)),
        ]
        assert (seen[row, column] == 255) == bool(own.any())


def test_a_larger_hole_is_the_nearest_pixel_s_and_one_of_the_same_size_is_itself() -> None:
    pixels = RANDOM.integers(0, 256, (5, 7))
    hole = np.where(pixels >= 128, 255, 0)
    assert (np.asarray(hole_at_size(grey(pixels), (7, 5))) == hole).all()
    assert (np.asarray(hole_at_size(grey(pixels), (21, 10))) == np.kron(hole, np.ones((2, 3)))).all()


def test_a_request_of_another_size_keeps_a_line_of_one_pixel_and_one_of_its_own_size_keeps_its_greys() -> None:
    mask = Image.new("L", (640, 640))
    ImageDraw.Draw(mask).line((20, 320, 620, 330), fill=255)
    asked = request(Image.new("RGB", mask.size), mask=mask)
    seen = asked.at_size((64, 64)).mask
    assert seen is not None and np.asarray(seen).any(0)[2:62].all()
    assert asked.at_size(mask.size, 8).mask is mask
    cells = np.asarray(asked.at_size((64, 64), 8).mask)
    assert cells[::8, ::8].any(0).all() and (cells == np.kron(cells[::8, ::8], np.ones((8, 8)))).all()


@pytest.mark.parametrize("cell", [2, 4, 8])
def test_what_a_model_would_not_see_of_a_hole_fills_its_cells_and_the_rest_stays(cell: int) -> None:
    for _ in range(50):
        x, y = RANDOM.integers(0, 64 - cell, 2)
        wide = Image.new("L", (64, 64))
        ImageDraw.Draw(wide).rectangle((x, y, x + RANDOM.integers(cell - 1, 30), y + cell - 1), fill=255)
        assert with_lost_cells(wide, cell).tobytes() == wide.tobytes()
    line = np.zeros((64, 64))
    line[cell + 1] = 255
    seen = np.asarray(with_lost_cells(grey(line), cell))
    assert (seen[cell : 2 * cell] == 255).all() and int((seen == 255).sum()) == 64 * cell


def test_masks_of_training_at_the_model_s_own_size_stay_as_they_are() -> None:
    boxes = padded_boxes([[[0.2, 0.2, 0.6, 0.7]]] * 400, 1)
    holes = mask_draws(OBJECT_MASKS, torch.Generator().manual_seed(0), 400).draw(boxes, 64, 64)[:, 0].numpy()
    assert all(with_lost_cells(grey(hole * 255), 4).tobytes() == grey(hole * 255).tobytes() for hole in holes)
