"""Rehearsal: true plain edits of the training split, or a person's own triplets, scored; none where none are wanted."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from editfoundry.curation.curate import curate
from editfoundry.curation.curation_config import CurationConfig
from editfoundry.data.record import PLAIN_CATEGORIES
from editfoundry.data.shards import read_triplets
from editfoundry.errors import BadInputError
from editfoundry.execution.stage_record import StageRequest
from editfoundry.lineage.params import Params
from editfoundry.synthesis.rehearsal.config import RehearsalConfig
from editfoundry.synthesis.rehearsal.recipe import run_rehearsal
from editfoundry.tinyworld.captions import scene_from_caption
from editfoundry.tinyworld.scene import render
from editfoundry.tinyworld.scene_sampling import is_held_out

OPEN = {name: -1.0 for name in ("clip_input", "clip_output", "clip_image", "clip_direction")}


def request(root: Path, output: str = "out", **config: object) -> StageRequest:
    params = Params(rehearsal=RehearsalConfig(**config), device="cpu")
    return StageRequest(params=params, output=root / output, sources=(), root=root)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("drawn")
    run_rehearsal(request(root, num_pairs=9, pairs_per_shard=6))
    return root


def test_pairs_are_true_plain_edits_of_training_scenes_with_scores(drawn: Path) -> None:
    triplets = list(read_triplets(drawn / "out"))
    assert len(triplets) == 9 and {t.recipe for t in triplets} == {"rehearsal"}
    assert {t.category for t in triplets} <= set(PLAIN_CATEGORIES)
    for triplet in triplets:
        after = scene_from_caption(triplet.output_caption)
        assert not is_held_out(after)
        assert set(triplet.scores) >= {"clip_input", "clip_output", "clip_image", "clip_direction"}
        # A caption leaves an object's exact place open, so only the size and the kind of picture can be compared.
        assert np.asarray(triplet.output_image).shape == render(after).shape
        assert triplet.input_image.tobytes() != triplet.output_image.tobytes()


def test_more_pairs_begin_with_the_same_ones(drawn: Path, tmp_path: Path) -> None:
    run_rehearsal(request(tmp_path, num_pairs=12, pairs_per_shard=12))
    first, longer = ([t.id for t in read_triplets(folder / "out")] for folder in (drawn, tmp_path))
    assert longer[:9] == first


def test_a_finished_stage_makes_nothing_again_and_another_seed_other_pairs(drawn: Path, tmp_path: Path) -> None:
    again = run_rehearsal(request(drawn, num_pairs=9, pairs_per_shard=6))
    assert again.num_shards_reused == again.num_shards == 2
    run_rehearsal(request(tmp_path, num_pairs=9, pairs_per_shard=9, seed=1))
    first, other = ({t.id for t in read_triplets(folder / "out")} for folder in (drawn, tmp_path))
    assert not first & other


def test_a_persons_own_triplets_are_taken_with_their_scores(drawn: Path, tmp_path: Path) -> None:
    (tmp_path / "own").symlink_to(drawn / "out")
    run_rehearsal(request(tmp_path, pairs="own"))
    own, taken = list(read_triplets(drawn / "out")), list(read_triplets(tmp_path / "out"))
    assert [(t.id, t.instruction, t.scores) for t in taken] == [(t.id, t.instruction, t.scores) for t in own]


def test_none_are_taken_where_none_are_wanted_and_curation_goes_on_without(drawn: Path, tmp_path: Path) -> None:
    assert run_rehearsal(request(tmp_path, pairs="")).num_out == 0
    config = CurationConfig(recipe_thresholds={"rehearsal": OPEN})
    with_none = curate((drawn / "out", tmp_path / "out"), tmp_path / "with", config)
    alone = curate((drawn / "out",), tmp_path / "alone", config)
    assert dataclasses.replace(with_none, num_shards=0) == dataclasses.replace(alone, num_shards=0)


def test_a_folder_that_is_not_there_is_told_with_its_parameter(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"rehearsal.pairs is gone, but there is no such folder"):
        run_rehearsal(request(tmp_path, pairs="gone"))


@pytest.mark.parametrize(("name", "value"), [("num_pairs", -1), ("pairs_per_shard", 0)])
def test_a_number_that_cannot_be_is_refused(name: str, value: int) -> None:
    with pytest.raises(BadInputError, match=name):
        RehearsalConfig(**{name: value})
