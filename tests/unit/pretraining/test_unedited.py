"""What should stay, measured on pictures whose truth is known."""

import math

import numpy as np
import pytest
from PIL import Image
from tiny_painter import save_models

from editfoundry.data.record import Triplet
from editfoundry.pretrained.clip import load_clip
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.pretraining.unedited import identity_similarity, preservation_psnr, unedited_box
from editfoundry.profiles import load_profile
from editfoundry.tinyworld.captions import scene_from_caption
from editfoundry.tinyworld.scene import object_boxes, render

BEFORE = "an ice cube on the left and a melting white clock on the right on a beach"
AFTER = "a melted ice cube on the left and a melting white clock on the right on a beach"


def picture(caption: str, size: int = 64) -> np.ndarray:
    return render(scene_from_caption(caption), size=size)


def triplet(before: np.ndarray, after: np.ndarray) -> Triplet:
    images = (Image.fromarray(before), Image.fromarray(after))
    return Triplet(
        instruction="Heat it.",
        input_image=images[0],
        output_image=images[1],
        input_caption=BEFORE,
        output_caption=AFTER,
    )


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return load_clip(load_profile(save_models(tmp_path_factory.mktemp("models"))), choose_runtime("cpu"))


def test_the_box_is_a_square_around_the_object_that_stays():
    left, top, right, bottom = unedited_box(BEFORE, AFTER)
    box = object_boxes(scene_from_caption(BEFORE))[1]
    assert left <= box[0] and top <= box[1] and right >= box[2] and bottom >= box[3]
    assert right - left == bottom - top <= 64 and right <= 64 and bottom <= 64


def test_a_scene_of_one_thing_has_no_unedited_object(clip):
    assert unedited_box("an ice cube on a beach", "a melted ice cube on a beach") is None
    alone = Triplet(
        instruction="Heat it.",
        input_image=Image.new("RGB", (64, 64)),
        output_image=Image.new("RGB", (64, 64)),
        input_caption="an ice cube on a beach",
        output_caption="a melted ice cube on a beach",
    )
    assert math.isnan(identity_similarity(alone, clip))


@pytest.mark.parametrize("size", [64, 128])
def test_what_happens_to_the_edited_object_alone_keeps_the_identity(clip, size):
    assert identity_similarity(triplet(picture(BEFORE, size), picture(AFTER, size)), clip) == pytest.approx(1, abs=1e-3)


def test_another_picture_where_the_object_was_lowers_the_identity(clip):
    spoilt = picture(AFTER).copy()
    spoilt[:, 32:] = np.random.default_rng(0).integers(0, 256, (64, 32, 3))
    assert identity_similarity(triplet(picture(BEFORE), spoilt), clip) < 0.99


def test_the_true_outcome_preserves_the_rest_and_noise_does_not():
    assert preservation_psnr(triplet(picture(BEFORE), picture(AFTER))) > 30
    brighter = np.clip(picture(BEFORE).astype(int) + 10, 0, 255).astype(np.uint8)
    changed = preservation_psnr(triplet(picture(BEFORE), brighter))
    # Ten steps of 255 everywhere is 28.1 dB; pixels that are cut off at 255 add a little.
    assert 28 < changed < 30
