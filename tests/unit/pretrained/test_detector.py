"""The role detector, with a tiny random Grounding DINO: prompts, places of boxes, batches."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest
import torch
from tiny_models import tiny_image
from transformers import GroundingDinoForObjectDetection

from editfoundry.errors import MissingModelError
from editfoundry.pretrained.boxes import box_iou
from editfoundry.pretrained.detector import (
    PHRASES_AT_ONCE,
    Detector,
    FoundBox,
    apart,
    build_prompt,
    load_detector,
    phrase_scores,
)
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.pretraining.recipes.detector import build_processor, detector_config
from editfoundry.profiles import ModelReference, Profile
from editfoundry.tinyworld.objects import KINDS
from editfoundry.tinyworld.scene import SceneObject

RUNTIME = choose_runtime("cpu")


def profile_of(folder: Path) -> Profile:
    return Profile(name="tiny", models={"detector": ModelReference(role="detector", source=str(folder))})


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Detector:
    folder = tmp_path_factory.mktemp("detector")
    processor = build_processor(folder / "words")
    torch.manual_seed(0)
    GroundingDinoForObjectDetection(detector_config(len(processor.tokenizer))).save_pretrained(folder)
    processor.save_pretrained(folder)
    return load_detector(profile_of(folder), RUNTIME)


def test_a_prompt_closes_each_phrase_and_knows_where_its_tokens_are(detector: Detector) -> None:
    tokenizer = detector.processor.tokenizer
    prompt = build_prompt(tokenizer, ["A red Balloon.", "the snowman?"])
    said = [tokenizer.decode(prompt.input_ids[start:end]) for start, end in prompt.spans]
    assert said == ["a red balloon", "the snowman"]
    assert prompt.input_ids == tokenizer("a red balloon. the snowman.")["input_ids"]


def test_words_that_are_unknown_spelt_letter_by_letter_or_name_nothing_are_not_known(detector: Detector) -> None:
    assert [detector.unknown_words(phrase) for phrase in ("a red balloon", "Balloons", "the snowman.")] == [[], [], []]
    assert detector.unknown_words("a red zebra") == ["zebra"]
    for phrase in ("zebra", "the", "of a", "\u6811 \U0001f333", "!?", " "):
        assert detector.unknown_words(phrase), phrase


def test_every_word_of_tinyworlds_things_is_known(detector: Detector) -> None:
    things = [
        SceneObject(kind=kind.name, state=state, colour=colour, size=size, position="left").phrase
        for kind in KINDS.values()
        for state, colour, size in product(kind.states, kind.colours, ("small", "large"))
    ]
    assert not [phrase for phrase in things if detector.unknown_words(phrase)] and len(things) > 100


def test_a_phrase_scores_by_its_best_token_and_one_of_no_token_scores_nothing() -> None:
    scores = torch.tensor([[0.1, 0.2, 0.9], [0.3, 0.1, 0.4]])
    assert phrase_scores(scores, (0, 2)).tolist() == pytest.approx([0.2, 0.3])
    assert phrase_scores(scores, (1, 1)).tolist() == [0, 0]


def test_boxes_lie_within_pictures_of_any_size_and_the_surest_comes_first(detector: Detector) -> None:
    images = [tiny_image(0, (40, 24)), tiny_image(1, (64, 64))]
    found = detector.find(images, [["a red balloon", "a dog"], ["a cat"]], threshold=0.0)
    assert [len(said) for said in found] == [2, 1]
    for image, said in zip(images, found, strict=True):
        for finds in said:
            assert len(finds) == 12
            assert [f.score for f in finds] == sorted((f.score for f in finds), reverse=True)
            for find in finds:
                x0, y0, x1, y1 = find.box
                assert 0 <= x0 <= x1 <= image.width and 0 <= y0 <= y1 <= image.height


def test_phrases_beyond_one_prompt_are_asked_in_the_next_and_answered_in_their_places(detector: Detector) -> None:
    phrases = [f"a {word}" for word in ("cat", "dog", "frog", "cup", "cake", "tree", "boat", "book")]
    assert len(phrases) > PHRASES_AT_ONCE
    [together] = detector.find([tiny_image(0)], [phrases], threshold=0.0)
    [last] = detector.find([tiny_image(0)], [phrases[PHRASES_AT_ONCE:]], threshold=0.0)
    assert [[f.score for f in finds] for finds in together[PHRASES_AT_ONCE:]] == [
        pytest.approx([f.score for f in finds], abs=1e-5) for finds in last
    ]
    assert detector.find([], []) == [] and detector.find([tiny_image(0)], [[]]) == [[]]


def test_finds_of_one_thing_count_once() -> None:
    finds = [FoundBox((0, 0, 10, 10), 0.5), FoundBox((0, 0, 10, 8), 0.9), FoundBox((20, 0, 30, 10), 0.4)]
    assert apart(finds) == [finds[1], finds[2]]
    assert box_iou((0, 0, 2, 1), (1, 0, 3, 1)) == pytest.approx(1 / 3) and box_iou((0, 0, 1, 1), (2, 2, 3, 3)) == 0


def test_a_missing_detector_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingModelError, match="role 'detector'"):
        load_detector(profile_of(tmp_path / "nowhere"), RUNTIME)
