"""Samples of captioned pictures: the same on any number of processes, with masks over what the captions name."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny_detector import save_tiny_detector
from tiny_models import tiny_image

from editfoundry.data.captioned_pictures import write_captioned_pictures
from editfoundry.editors.caption_training.caption_batches import middle_square, open_captioned_data, step_generator
from editfoundry.editors.caption_training.caption_config import CaptionTraining
from editfoundry.errors import BadInputError, MissingModelError
from editfoundry.pretrained.runtime import choose_runtime

ALONE = {"object_and_random": 0.0, "random_box": 0.0, "strokes": 0.0, "full": 0.0, "object_box": 1.0}


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    folder = tmp_path_factory.mktemp("captioned")
    records = [(tiny_image(n, (48, 32)), f"a cup {n}", [[16.0, 8.0, 32.0, 24.0]]) for n in range(6)]
    write_captioned_pictures(folder / "data", records, 4)
    return CaptionTraining(
        output=folder / "out", num_steps=1, batch_size=4, editor="package:text_to_image", dataset=folder / "data",
        boxes="stored", work_dir=folder / "work",
    )  # fmt: skip


def data_of(config):
    return open_captioned_data(config, 32, choose_runtime("cpu"))


def drawn(config, step=0, part=slice(None)):
    return data_of(config).samples(step, part, step_generator(config, step))


def test_pictures_are_their_middle_square_and_captions_lie_beside_them(config):
    samples = drawn(replace(config, caption_dropout=0.0))
    assert samples.pictures.shape == (4, 3, 32, 32) and samples.pictures.abs().max() <= 1
    assert all(caption.startswith("a cup") for caption in samples.captions)
    assert middle_square((48, 32)) == (8, 0, 32)
    number = int(samples.captions[0].split()[-1])
    expected = torch.tensor(list(tiny_image(number, (48, 32)).crop((8, 0, 40, 32)).getdata())).reshape(32, 32, 3)
    assert torch.equal(((samples.pictures[0] + 1) * 127.5).round().long().permute(1, 2, 0), expected)


def test_a_box_of_the_picture_is_masked_at_its_place_in_the_square(config):
    holes = drawn(replace(config, **ALONE)).holes[:, 0]
    assert holes[:, 8:24, 8:24].all() and not holes[:, 0].any() and not holes[:, :, 30].any()


def test_without_boxes_masks_are_random_ones(config):
    config = replace(config, **ALONE, boxes="none")
    assert not drawn(config).holes[:, 0, 8:24, 8:24].all()


def test_parts_and_steps_are_drawn_from_the_seed_alone(config):
    whole, halves = drawn(config), [drawn(config, part=slice(start, start + 2)) for start in (0, 2)]
    assert torch.equal(whole.pictures, torch.cat([half.pictures for half in halves]))
    assert torch.equal(whole.holes, torch.cat([half.holes for half in halves]))
    assert whole.captions == [caption for half in halves for caption in half.captions]
    assert not torch.equal(whole.holes, drawn(config, step=1).holes)
    assert not torch.equal(whole.holes, drawn(replace(config, seed=1)).holes)


def test_a_part_leaves_the_generator_where_the_whole_does(config):
    data, states = data_of(config), []
    for part in (slice(None), slice(2, 3)):
        generator = step_generator(config, 0)
        data.samples(0, part, generator)
        states.append(generator.get_state())
    assert torch.equal(*states)


def test_captions_are_dropped_in_their_share(config):
    assert drawn(replace(config, caption_dropout=1.0)).captions == [""] * 4


def test_the_detector_searches_once_and_its_boxes_are_masked(config, tmp_path, monkeypatch):
    found = replace(config, boxes="detector", profile=str(save_tiny_detector(tmp_path)), detector_threshold=0.01,
                    work_dir=tmp_path / "work", **ALONE)  # fmt: skip
    data = data_of(found)
    boxes = data.found.read(range(6))
    assert boxes.shape == (6, 8, 4) and boxes.min() >= 0 and boxes.max() <= 1 and boxes.any()
    monkeypatch.setattr("editfoundry.pretrained.detector.Detector.find", lambda *_: pytest.fail("searched again"))
    assert torch.equal(data_of(found).found.read(range(6)), boxes)
    assert found.identity()["detector"] != []


def test_a_profile_without_a_detector_is_one_line(config, tmp_path):
    (tmp_path / "bare.toml").write_text('[text_to_image]\nmodel = "package:text_to_image"\n')
    with pytest.raises(MissingModelError, match="detector"):
        data_of(replace(config, boxes="detector", profile=str(tmp_path / "bare.toml")))


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"boxes": "magic"}, "boxes is 'magic', but must be one of detector, stored, none"),
        ({"strokes": -1.0}, "strokes is -1.0"),
        ({**dict.fromkeys(ALONE, 0.0)}, "object_box is 0.0, but must be more than 0"),
        ({"caption_dropout": 1.5}, "caption_dropout is 1.5"),
        ({"detector_threshold": 0.0}, "detector_threshold is 0.0"),
    ],
)
def test_settings_that_cannot_be_are_refused(config, setting, message):
    with pytest.raises(BadInputError, match=message):
        replace(config, **setting)


def test_the_identity_tells_the_data_and_the_start(config, tmp_path: Path):
    write_captioned_pictures(tmp_path / "other", [(tiny_image(9), "a dog", None)], 1)
    own, other = config.identity(), replace(config, dataset=tmp_path / "other").identity()
    assert own.keys() == {"dataset", "editor"} and own["dataset"] != other["dataset"]
