"""Pixel metrics against torchmetrics, scikit-image, scipy and numpy."""

import math

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter
from skimage.metrics import peak_signal_noise_ratio
from tiny_models import tiny_image
from torchmetrics.functional.image import structural_similarity_index_measure

from editfoundry.evaluation.benchmarks.item import Benchmark, BenchmarkItem
from editfoundry.evaluation.metrics.edited_batch import open_pictures
from editfoundry.evaluation.metrics.metric_models import MetricModels
from editfoundry.evaluation.metrics.scoring import MetricScorer

PIXEL_METRICS = ("l1", "l2", "psnr", "ssim")


def pixel_metrics(edited, references):
    items = [
        BenchmarkItem(id=f"{n}", category="c", instruction="x", input_image=tiny_image(0), truth=reference)
        for n, reference in enumerate(references)
    ]
    benchmark = Benchmark(name="b", title="B", items=tuple(items), reference="truth")
    scorer = MetricScorer(MetricModels(), benchmark, only=PIXEL_METRICS)
    return [row.values for row in scorer.score([open_pictures(i) for i in items], {"x": edited})[0]["x"]]


def as_floats(image):
    return np.asarray(image, dtype=np.float64) / 255


def ssim(first, second):
    """Wang et al. (2004), eq. 13, over the whole picture, which is mirrored at its borders."""

    def mean(values):
        return gaussian_filter(values, (1.5, 1.5, 0), mode="mirror", truncate=3.5)

    averages = mean(first), mean(second)
    spread = mean(first**2) - averages[0] ** 2 + mean(second**2) - averages[1] ** 2
    shared = mean(first * second) - averages[0] * averages[1]
    light = (2 * averages[0] * averages[1] + 0.01**2) / (averages[0] ** 2 + averages[1] ** 2 + 0.01**2)
    return (light * (2 * shared + 0.03**2) / (spread + 0.03**2)).mean()


def test_they_agree_with_scikit_image_and_the_formulas_whatever_the_sizes_of_a_batch():
    references = [tiny_image(1, (40, 32)), tiny_image(2, (24, 24)), tiny_image(3, (40, 32)), None]
    edited = [Image.blend(r, Image.new("RGB", r.size, "white"), 0.2) for r in references[:3]] + [tiny_image(4)]
    found = pixel_metrics(edited, references)
    for row, made, reference in zip(found[:3], edited, references, strict=False):
        first, second = as_floats(made), as_floats(reference)
        expected = {
            "l1": np.abs(first - second).mean(),
            "l2": np.square(first - second).mean(),
            "psnr": peak_signal_noise_ratio(first, second, data_range=1),
            "ssim": ssim(first, second),
        }
        assert row == pytest.approx(expected, abs=1e-4)
        batches = [torch.from_numpy(values).permute(2, 0, 1)[None] for values in (first, second)]
        theirs = structural_similarity_index_measure(*batches, data_range=1.0)
        assert row["ssim"] == pytest.approx(float(theirs), abs=1e-4)
    assert set(found[3].values()) == {None}


def test_equal_pictures_have_an_infinite_psnr_and_tiny_ones_no_ssim():
    [equal] = pixel_metrics([tiny_image(1)], [tiny_image(1)])
    assert math.isinf(equal["psnr"]) and equal["l1"] == 0 and equal["ssim"] == 1
    [small] = pixel_metrics([tiny_image(1, (8, 8))], [tiny_image(2, (8, 8))])
    assert small["ssim"] is None and small["l1"] > 0


def test_an_edit_of_another_size_is_brought_to_its_reference_s():
    [row] = pixel_metrics([Image.new("RGB", (20, 20), (255, 0, 0))], [Image.new("RGB", (40, 30))])
    assert row["l1"] == pytest.approx(1 / 3)
