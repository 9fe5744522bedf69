import numpy as np
import pytest
import torch
from PIL import Image
from skimage.metrics import structural_similarity
from tiny_models import tiny_image

from editfoundry.judging.clip_similarity import direction_similarity, similarity
from editfoundry.synthesis.editworld_text.structure import SSIM_C3, structure_similarity


def grey(values: np.ndarray) -> Image.Image:
    return Image.fromarray(values.astype(np.uint8)).convert("RGB")


def test_the_structure_term_is_ssims_with_its_third_constant():
    # With equal means and equal variances SSIM's other two factors are 1, so that SSIM is its structure term.
    random = np.random.default_rng(0)
    first = random.integers(0, 256, 49).reshape(7, 7)
    second = first.T.copy()
    expected = structural_similarity(
        first / 255, second / 255, win_size=7, data_range=1.0, use_sample_covariance=False, full=True
    )[1][3, 3]
    assert structure_similarity([grey(first)], [grey(second)])[0] == pytest.approx(expected, abs=1e-5)
    assert pytest.approx(0.03**2 / 2) == SSIM_C3


def test_the_structure_term_of_the_same_the_inverse_and_an_unrelated_picture():
    first = tiny_image(1)
    inverse = Image.fromarray(255 - np.asarray(first))
    same, opposite, other = structure_similarity([first] * 3, [first, inverse, tiny_image(2)]).tolist()
    assert same == pytest.approx(1) and opposite == pytest.approx(-1, abs=0.05) and abs(other) < 0.2


def test_flat_pictures_have_the_same_structure_whatever_their_brightness():
    flat = [grey(np.full((4, 4), level)) for level in (10, 200)]
    assert structure_similarity(flat[:1], flat[1:])[0] == pytest.approx(1)


def test_similarities_are_cosines_row_by_row():
    first, second = torch.eye(2), torch.tensor([[0.6, 0.8], [0.0, 1.0]])
    assert similarity(first, second).tolist() == pytest.approx([0.6, 1.0])
    moved = direction_similarity(torch.zeros(1, 2), torch.ones(1, 2), torch.zeros(1, 2), torch.tensor([[0.0, 3.0]]))
    assert moved.item() == pytest.approx(2**-0.5)
