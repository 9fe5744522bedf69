"""The embedded detector's recipe: what it is asked, its loss, its measure, and that it learns."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import GroundingDinoForObjectDetection

from editfoundry.pretrained.detector import FoundBox, build_prompt, padded
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.pretraining.detection_loss import BoxTargets, _match, detection_loss
from editfoundry.pretraining.measure_detector import average_precision, measure_detector
from editfoundry.pretraining.model_trainee import PretrainingConfig
from editfoundry.pretraining.named_things import (
    NamedThing,
    asked_phrases,
    is_told_by_kind,
    kind_of,
    name_of,
    wording,
)
from editfoundry.pretraining.recipes import detector
from editfoundry.pretraining.shipping import saver
from editfoundry.profiles import ModelReference, Profile
from editfoundry.tinyworld.objects import KINDS
from editfoundry.tinyworld.scene import SceneObject
from editfoundry.tinyworld.scene_sampling import random_stream, sample_scene


def test_no_absent_phrase_names_a_thing_of_the_scene() -> None:
    for index in range(40):
        scene = sample_scene(random_stream("test", index), "train")
        names = {name_of(thing).split(" ", 1)[1] for thing in scene.objects}
        names |= {thing.kind for thing in scene.objects if is_told_by_kind(thing, scene)}
        seen = [NamedThing(thing, (0.5, 0.5, 0.2, 0.2)) for thing in scene.objects]
        asked = asked_phrases(scene, seen, random_stream("test asked", index))
        assert asked
        absent = {phrase.removeprefix("the ").replace("small ", "") for phrase, box in asked if box is None}
        assert not {phrase.split(" ", 1)[-1] if phrase[:2] in ("a ", "an") else phrase for phrase in absent} & names


def test_a_thing_is_named_by_its_kind_alone_only_where_that_tells_it() -> None:
    lamp, oil_lamp, cup, frog = (
        SceneObject(kind=kind, state=list(KINDS[kind].states)[-1], colour=KINDS[kind].colours[0])
        for kind in ("lamp", "oil lamp", "cup", "frog")
    )
    scene = replace(sample_scene(random_stream("test"), "train"), objects=(lamp, cup))
    assert is_told_by_kind(lamp, scene) and is_told_by_kind(cup, scene)
    assert not is_told_by_kind(oil_lamp, scene) and not is_told_by_kind(frog, scene)
    random = random_stream("kinds")
    told = {wording(cup, random, told_by_kind=True) for _ in range(200)}
    assert {"a cup", "the cup", "cup"} < told and kind_of(oil_lamp) == "an oil lamp"
    assert not {"a cup", "the cup", "cup"} & {wording(cup, random) for _ in range(200)}


def test_a_drawn_box_holds_its_thing_flipped_or_not() -> None:
    labels = np.zeros((64, 64), dtype=np.uint8)
    labels[16:32, 8:24] = 1
    labels[0:2, 0:2] = 2
    assert detector._boxes(labels, flip=False) == [(0.25, 0.375, 0.25, 0.25), None]
    assert detector._boxes(labels, flip=True) == [(0.75, 0.375, 0.25, 0.25), None]


def test_a_box_is_the_nearest_querys_and_several_copies_take_several_queries() -> None:
    boxes = torch.tensor([[0.2, 0.2, 0.1, 0.1], [0.5, 0.5, 0.2, 0.2], [0.52, 0.5, 0.2, 0.2]])
    target = BoxTargets(torch.tensor([[0.5, 0.5, 0.2, 0.2]]), torch.tensor([[0.0, 1.0]]))
    chosen, matched = _match(torch.zeros(3, 2), boxes, target, 1)
    assert chosen.tolist() == [1] and matched.tolist() == [0]
    assert _match(torch.zeros(3, 2), boxes, target, 2)[0].tolist() == [1, 2]


def test_the_loss_reaches_every_part_the_proposals_heads_included(tmp_path: Path) -> None:
    processor = detector.build_processor(tmp_path)
    model = GroundingDinoForObjectDetection(detector.detector_config(len(processor.tokenizer)))
    prompts = [build_prompt(processor.tokenizer, phrases) for phrases in (["a cat", "a red cup"], ["a dog"])]
    tokens = torch.zeros(1, len(prompts[0].input_ids))
    tokens[0, slice(*prompts[0].spans[1])] = 1
    nothing = BoxTargets(torch.zeros(0, 4), torch.zeros(0, len(prompts[1].input_ids)))
    targets = [BoxTargets(torch.tensor([[0.5, 0.5, 0.4, 0.4]]), tokens), nothing]
    detection_loss(model, torch.rand(2, 3, 64, 64), padded(prompts), targets).backward()
    without = {
        name
        for name, parameter in model.named_parameters()
        if parameter.grad is None and "backbone.conv_encoder.model.layernorm" not in name
    }
    assert not {name for name in without if "bbox_embed" in name or "enc_output" in name or "text_backbone" in name}


def test_average_precision_is_the_area_below_the_best_precision_at_each_recall() -> None:
    there, wrong = FoundBox((0, 0, 10, 10), 0.9), FoundBox((50, 50, 60, 60), 0.95)
    late = FoundBox((0, 0, 10, 10), 0.1)
    assert average_precision([((0, 0, 10, 10), [there])]) == 1
    # The surest find is wrong: of two things the first is met at precision 1/2, the second at 2/3.
    asked = [((0, 0, 10, 10), [there]), ((0, 0, 10, 10), [late]), (None, [wrong])]
    assert average_precision(asked) == pytest.approx(2 / 3)
    # A second find of one thing is none.
    assert average_precision([((0, 0, 10, 10), [there, late]), ((0, 0, 10, 10), [])]) == pytest.approx(1 / 2)
    assert math.isnan(average_precision([(None, [wrong])]))


def test_a_trained_detector_is_saved_and_measured(tmp_path: Path) -> None:
    config = PretrainingConfig(num_steps=2, batch_size=2, num_warmup_steps=1)
    model, processor, result = detector.train_detector(tmp_path, torch.device("cpu"), config, num_pictures=4)
    assert math.isfinite(result.final_loss)
    saver(model, processor)(tmp_path / "shipped")
    assert (tmp_path / "shipped/model.safetensors").stat().st_size < 3 * 2**20
    profile = Profile(
        name="tiny", models={"detector": ModelReference(role="detector", source=str(tmp_path / "shipped"))}
    )
    measured = measure_detector(profile, choose_runtime("cpu"), num_scenes=2)
    assert set(measured) == {"map_50", "map_50_by_kind", "map_50_by_another_phrase", "map_50_without_looking"}
    assert all(0 <= value <= 1 for value in measured.values())
