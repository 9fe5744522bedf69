"""Words become a mask: what the detector finds, as the segmenter outlines it; its box where there is no outline."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from tiny_models import tiny_image
from tiny_sam import tiny_sam_config
from transformers import GroundingDinoForObjectDetection

from editfoundry.editors.masks import check_mask_roles
from editfoundry.editors.masks_by_words import load_mask_models, mask_of_words
from editfoundry.errors import BadInputError
from editfoundry.pretrained.detector import FoundBox
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.pretrained.segmenter import Segmenter, build_sam, save_sam
from editfoundry.pretraining.recipes.detector import build_processor, detector_config
from editfoundry.profiles import ModelReference, Profile, load_profile

SIZE = (80, 60)
PICTURE = Image.new("RGB", SIZE)
BOX = (20.4, 10.0, 59.6, 50.0)


@dataclass(frozen=True)
class FindsBoxes:
    """Finds boxes where it is asked for a cup."""

    boxes: tuple[tuple[float, ...], ...] = (BOX,)
    score: float = 0.9
    name: str = "finder"

    def unknown_words(self, phrase):
        return [word for word in phrase.split() if word != "cup"]

    def find(self, images, phrases, threshold):
        assert phrases == [["cup"]], "articles are left out"
        return [[[FoundBox(box, self.score) for box in self.boxes if self.score >= threshold]] for _ in images]


@dataclass(frozen=True)
class SeesOneShape:
    """Sees one shape wherever it is asked."""

    shape: np.ndarray
    outlines_in = Segmenter.outlines_in

    def masks_at(self, image, points):
        assert all(0 <= x < image.width and 0 <= y < image.height for x, y in points)
        return np.stack([[self.shape] * 3] * len(points)), np.ones((len(points), 3), dtype=np.float32)


def disc(box):
    layer = Image.new("1", SIZE)
    ImageDraw.Draw(layer).ellipse(box, fill=1)
    return np.asarray(layer)


def mask(detector, segmenter, words="the cup", threshold=0.3):
    return np.asarray(mask_of_words(words, PICTURE, detector, segmenter, threshold)) > 0


@pytest.mark.parametrize("words", ["the cup", "a cup", "cup", " The cup "])
def test_the_mask_is_the_outline_of_what_was_found_and_a_little_more(words):
    shape = disc((20, 10, 59, 49))
    found = mask(FindsBoxes(), SeesOneShape(shape), words)
    assert (found | shape == found).all() and shape.sum() < found.sum() < 1.3 * shape.sum()
    assert not found[0, 0] and not found[10, 20], "a corner of the box is no part of the thing"


def test_a_shape_that_reaches_out_of_the_box_is_cut_to_it_and_a_speck_is_no_outline():
    everywhere = mask(FindsBoxes(), SeesOneShape(np.ones(SIZE[::-1], dtype=bool)))
    assert everywhere[30, 40] and not everywhere[30, 70]
    speck = mask(FindsBoxes(), SeesOneShape(disc((38, 28, 41, 31))))
    assert speck[11, 21] and speck[48, 58], "the box stands in for an outline that there is not"


def test_all_things_of_the_name_are_in_the_mask_and_one_that_is_found_twice_is_there_once():
    two = mask(FindsBoxes(((2, 2, 20, 20), (60, 40, 78, 58), (3, 2, 20, 20))), SeesOneShape(np.ones((60, 80), bool)))
    assert two[10, 10] and two[50, 70] and not two[30, 40]


@pytest.mark.parametrize("detector", [FindsBoxes(()), FindsBoxes(score=0.2), FindsBoxes(((5.0, 5.0, 5.0, 9.0),))])
def test_what_is_not_found_is_told_in_one_line_with_what_to_do(detector):
    with pytest.raises(BadInputError, match="--what 'the cup': nothing of that name is found.*lower --threshold"):
        mask(detector, SeesOneShape(disc(BOX)))


def test_words_that_the_detector_does_not_know_are_refused_and_nothing_is_looked_for():
    with pytest.raises(BadInputError, match="--what 'the zebra': the detector finder does not know 'zebra': say it"):
        mask(FindsBoxes(), SeesOneShape(disc(BOX)), "the zebra")
    with pytest.raises(BadInputError, match="does not know 'striped', 'zebra': say it otherwise"):
        mask(FindsBoxes(), SeesOneShape(disc(BOX)), "striped zebra cup")


def test_a_profile_without_a_detector_is_told_before_anything_is_loaded():
    profile = Profile(name="mine", models={"segmenter": load_profile("embedded").model("segmenter")})
    with pytest.raises(BadInputError, match="--what needs the role 'detector', which profile 'mine' does not name"):
        check_mask_roles(profile)


def test_tiny_random_models_of_the_real_classes_make_a_mask_of_a_picture(tmp_path):
    folder = tmp_path / "detector"
    processor = build_processor(tmp_path / "words")
    torch.manual_seed(0)
    GroundingDinoForObjectDetection(detector_config(len(processor.tokenizer))).save_pretrained(folder)
    processor.save_pretrained(folder)
    config = tiny_sam_config()
    save_sam(build_sam(config), config, tmp_path / "segmenter")
    roles = ("detector", "segmenter")
    profile = Profile(
        name="tiny", models={role: ModelReference(role=role, source=str(tmp_path / role)) for role in roles}
    )
    detector, segmenter = load_mask_models(profile, choose_runtime("cpu"))
    picture = tiny_image(0, SIZE)
    found = mask_of_words("a red balloon", picture, detector, segmenter, threshold=0.0)
    assert found.mode == "L" and found.size == SIZE and set(np.unique(np.asarray(found))) <= {0, 255}
    assert np.asarray(found).any()
