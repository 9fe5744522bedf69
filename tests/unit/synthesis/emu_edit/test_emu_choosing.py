"""The filters, one after the other, and the best that is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_emu import CONFIG, OPEN, instruction
from tiny_models import tiny_image

from editfoundry.data.edit_tasks import EditTask
from editfoundry.errors import Rejection
from editfoundry.pretrained.detector import FoundBox
from editfoundry.synthesis.emu_edit.choosing import CONTRAST, DEPTH_DIFFERS, NOT_AMONG_THE_BEST, choose_pairs
from editfoundry.synthesis.emu_edit.confirming import (
    AFTER,
    BEFORE,
    DID_NOT_COME,
    STILL_THERE,
    check_confirmed,
    confirmations,
)
from editfoundry.synthesis.emu_edit.depth_difference import depth_differences
from editfoundry.synthesis.emu_edit.first_pictures import EditDraw
from editfoundry.synthesis.emu_edit.made_pair import MadePair
from editfoundry.synthesis.emu_edit.masks import FoundThing
from editfoundry.synthesis.emu_edit.models import EmuModels


def pair(task: str, number: int = 0, **known: Any) -> MadePair:
    pictures = {"before": tiny_image(number), "after": tiny_image(number + 10)}
    return MadePair(draw=EditDraw(instruction(task), number, number), **{**pictures, **known})


def reasons(models: EmuModels, made: Sequence[MadePair], **changes: Any) -> list[str]:
    [chosen] = choose_pairs(models, [made], replace(CONFIG, **changes))
    return [one.rejection.reason if one.rejection else "" for one in chosen]


def test_the_best_by_direction_is_kept_and_what_fell_keeps_its_reason(emu_models: EmuModels) -> None:
    fallen = pair("global", 5, rejection=Rejection("not made"))
    [chosen] = choose_pairs(emu_models, [[pair("global", n) for n in range(3)] + [fallen]], CONFIG)
    assert [one.rejection.reason if one.rejection else "" for one in chosen] == [
        "", NOT_AMONG_THE_BEST, NOT_AMONG_THE_BEST, "not made",
    ]  # fmt: skip
    assert chosen[0].scores["clip_direction"] == max(o.scores["clip_direction"] for o in chosen[:3])
    assert not chosen[3].scores


def test_pictures_of_no_numbers_or_one_colour_fall_first(emu_models: EmuModels) -> None:
    grey = Image.new("RGB", (32, 32), "grey")
    made = [pair("global", 0, is_finite=False), pair("global", 1, after=grey)]
    assert reasons(emu_models, made) == ["no numbers painted", "blank picture"]


def test_of_a_reading_only_the_first_picture_is_compared_with_its_caption(emu_models: EmuModels) -> None:
    strict = replace(OPEN, clip_output=1.0, clip_image=1.0, clip_direction=1.0)
    assert reasons(emu_models, [pair("color")], thresholds=strict) == [""]
    assert reasons(emu_models, [pair("style")], thresholds=strict) == ["low clip_output"]
    assert reasons(emu_models, [pair("color")], thresholds=replace(OPEN, clip_input=1.0)) == ["low clip_input"]


class Judge:
    """Finds every caption worth its length, and the output's 10 nats more where the second picture says so."""

    num_asked = 0

    def log_likelihoods(self, images: Any, prompts: Any, answers: Sequence[str]) -> torch.Tensor:
        self.num_asked += len(answers)
        return torch.tensor([10.0 if index % 2 == 0 else 0.0 for index in range(len(answers))])


def test_the_judge_is_asked_of_both_pictures_and_each_picture_once(emu_models: EmuModels) -> None:
    judge: Any = Judge()
    models = replace(emu_models, judge=judge)
    first = tiny_image(0)
    made = [pair("local", n, before=first) for n in range(3)]
    [chosen] = choose_pairs(models, [made], replace(CONFIG, caption_contrast=9.0))
    assert judge.num_asked == 2 * (1 + 3) and chosen[0].scores[CONTRAST] == 10
    assert reasons(models, made, caption_contrast=11.0) == [f"low {CONTRAST}"] * 3
    judge.num_asked = 0
    reasons(models, [pair("color")], caption_contrast=11.0)
    assert judge.num_asked == 0


class Depth:
    """Takes a picture's redness for nearness."""

    num_seen = 0

    def nearness(self, images: Sequence[Image.Image]) -> list[np.ndarray]:
        self.num_seen += len(images)
        return [np.asarray(image)[..., 0].astype(np.float32) for image in images]


def ramp(**changes: Any) -> Image.Image:
    """Return a picture that is red to the right; ``shift`` moves that, ``scale`` is another unit of it."""
    red = np.roll(np.tile(np.arange(32) * 4.0, (32, 1)), changes.get("shift", 0), axis=1) * changes.get("scale", 1)
    red[:8, :8] = changes.get("corner", 0)
    return Image.fromarray(np.stack([red, red * 0, red * 0], -1).clip(0, 255).astype(np.uint8))


def test_depth_maps_are_compared_without_their_unit_where_the_picture_should_keep_its_shapes() -> None:
    depth: Any = Depth()
    mask = np.zeros((32, 32), np.float32)
    mask[:8, :8] = 1
    first = ramp()
    alike = pair("style", before=first, after=ramp(scale=2))
    other = pair("style", before=first, after=ramp(shift=12))
    within = pair("remove", before=first, after=ramp(corner=250), mask=mask)
    whole = pair("texture", before=first, after=ramp(corner=250), mask=mask)
    values = depth_differences(depth, [alike, other, within, whole, pair("color")])
    assert values[0] is not None and values[0] < 0.01 and values[2] == 0 and values[4] is None
    assert values[1] is not None and values[1] > 0.1 and values[3] is not None and values[3] > 0.01
    # The first picture is one, and is looked at once.
    assert depth.num_seen == 1 + 4


def test_a_pair_whose_shapes_moved_is_rejected(emu_models: EmuModels) -> None:
    depth: Any = Depth()
    made = [pair("style", before=ramp(), after=ramp(shift=12))]
    assert reasons(replace(emu_models, depth=depth), made, max_depth_difference=0.05) == [DEPTH_DIFFERS]
    assert reasons(replace(emu_models, depth=depth), made, max_depth_difference=0.9) == [""]


@pytest.mark.parametrize(
    ("task", "scores", "reason"),
    [
        ("remove", {BEFORE: 0.4}, STILL_THERE),
        ("remove", {BEFORE: 0.1}, ""),
        ("add", {BEFORE: 0.4}, STILL_THERE),
        ("local", {BEFORE: 0.1, AFTER: 0.2}, DID_NOT_COME),
        ("local", {BEFORE: 0.8, AFTER: 0.5}, STILL_THERE),
        ("local", {BEFORE: 0.4, AFTER: 0.5}, ""),
        ("style", {}, ""),
    ],
)
def test_the_detector_says_whether_things_came_and_went(task: str, scores: dict[str, float], reason: str) -> None:
    if not reason:
        check_confirmed(EditTask(task), scores, 0.3)
        return
    with pytest.raises(Rejection) as error:
        check_confirmed(EditTask(task), scores, 0.3)
    assert error.value.reason == reason


class Finder:
    """Finds everything twice: surely at the left, and less so at the right."""

    asked: Any = None

    def find(self, images: Any, phrases: Any, threshold: float) -> Any:
        self.asked = (images, phrases)
        return [[[FoundBox((0, 0, 10, 10), 0.9), FoundBox((20, 0, 30, 10), 0.4)] for _ in said] for said in phrases]


def test_what_is_found_elsewhere_does_not_count_and_the_picture_painted_second_is_asked() -> None:
    finder: Any = Finder()
    right = FoundThing(FoundBox((20, 0, 30, 10), 0.9), np.ones((32, 32), bool), 1.0)
    local, added, colour = pair("local", thing=right), pair("add", thing=right), pair("color", thing=right)
    found = confirmations(finder, [local, colour, added])
    assert found == [{BEFORE: 0.4, AFTER: 0.4}, {}, {BEFORE: 0.4}]
    assert finder.asked == ([local.after, added.before], [["cat", "dog"], ["hat"]])
