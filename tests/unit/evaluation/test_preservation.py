import math

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio
from worlds import make_cases

from editfoundry.evaluation.preservation import capped_psnr, preservation_mse, psnr
from editfoundry.tinyworld.edit_case import EditCase
from editfoundry.tinyworld.outcome import changed_region


def test_returning_the_input_preserves_infinitely_well() -> None:
    for case in make_cases(4):
        assert preservation_mse(case.input_image, case) == 0.0
    assert psnr(0.0) == math.inf
    assert capped_psnr(0.0) == 60
    assert capped_psnr(100.0) == psnr(100.0)


def test_an_error_of_ten_everywhere_outside_is_28_decibels_and_the_inside_does_not_count() -> None:
    case = make_cases(1)[0]
    region = changed_region(case.input_image, case.true_output)
    darker = np.where(case.input_image >= 10, case.input_image - 10, case.input_image + 10).astype(np.uint8)
    darker[region] = 0
    mse = preservation_mse(darker, case)
    assert mse == pytest.approx(100.0)
    assert mse is not None and psnr(mse) == pytest.approx(28.1308, abs=1e-4)


def test_psnr_agrees_with_scikit_image() -> None:
    first, second = np.random.default_rng(0).uniform(0, 255, size=(2, 8, 8, 3))
    expected = peak_signal_noise_ratio(first, second, data_range=255)
    assert psnr(float(np.square(first - second).mean())) == pytest.approx(expected)


def test_nothing_is_preserved_where_everything_changes() -> None:
    image = np.zeros((2, 2, 3), np.uint8)
    case = EditCase(
        id="night",
        category="change",
        rule="",
        instruction="",
        input_caption="",
        output_caption="",
        input_image=image,
        true_output=image + 200,
        wrong_outputs=np.stack([image + 100] * 3),
    )
    assert preservation_mse(image, case) is None
