"""The recipe of the shipped editor: its data, and that it goes through the trainer."""

import re
from pathlib import Path

import torch
from tiny_models import tiny_pipeline

from editfoundry.data.record import PLAIN_CATEGORIES
from editfoundry.data.shards import read_triplets
from editfoundry.pretraining.model_trainee import PretrainingConfig
from editfoundry.pretraining.recipes import editworld
from editfoundry.pretraining.world_wordings import further_wordings
from editfoundry.tinyworld.captions import scene_from_caption
from editfoundry.tinyworld.rules import new_rules, trained_rules


def test_triplets_show_trained_rules_in_words_of_their_wordings_and_some_plain_edits(tmp_path: Path) -> None:
    editworld.write_world_triplets(tmp_path, 120)
    triplets = list(read_triplets(tmp_path))
    world = [t for t in triplets if t.category not in PLAIN_CATEGORIES]
    assert len(triplets) == 120 and 8 <= 120 - len(world) <= 45
    own = {wording for rule in trained_rules() for wording in rule.wordings}
    wordings = own | {wording for rule in trained_rules() for wording in further_wordings(rule.name)}
    assert 0.05 <= sum(t.instruction in own for t in world) / len(world) <= 0.35
    as_written = [t for t in world if t.instruction in wordings]
    assert 0.25 <= len(as_written) / len(world) <= 0.6
    words = {word for wording in wordings for word in re.findall(r"[\w']+", wording.lower())}
    assert {word for t in world for word in re.findall(r"[\w']+", t.instruction.lower())} <= words
    assert len({t.category for t in world}) == 7
    held_out = {w for rule in trained_rules() for w in rule.held_out_wordings}
    held_out |= {w for rule in new_rules() for w in (*rule.wordings, *rule.held_out_wordings)}
    assert not held_out & {t.instruction for t in triplets}


def test_what_is_asked_of_an_absent_thing_changes_nothing(tmp_path: Path) -> None:
    editworld.write_world_triplets(tmp_path, 300)
    kinds: dict[str, set[str]] = {}
    for rule in trained_rules():
        for wording in (*rule.wordings, *further_wordings(rule.name)):
            kinds.setdefault(wording, set()).add(rule.kind)
    unchanged = [t for t in read_triplets(tmp_path) if t.input_caption == t.output_caption]
    assert 8 <= len(unchanged) <= 45
    for triplet in unchanged:
        assert triplet.input_image.tobytes() == triplet.output_image.tobytes()
        present = {thing.kind for thing in scene_from_caption(triplet.input_caption).objects}
        assert kinds[triplet.instruction] - present


def test_finished_shards_are_not_drawn_again(tmp_path: Path) -> None:
    editworld.write_world_triplets(tmp_path, 4)
    before = (tmp_path / "00000.tar").stat().st_mtime_ns
    editworld.write_world_triplets(tmp_path, 4)
    assert (tmp_path / "00000.tar").stat().st_mtime_ns == before


def test_another_data_seed_draws_other_triplets(tmp_path: Path) -> None:
    editworld.write_world_triplets(tmp_path / "a", 20, seed=0)
    editworld.write_world_triplets(tmp_path / "b", 20, seed=8000)
    drawn = [{(t.input_caption, t.instruction) for t in read_triplets(tmp_path / name)} for name in "ab"]
    assert len(drawn[0] & drawn[1]) <= 2


def test_the_recipe_trains_with_the_trainer(tmp_path: Path) -> None:
    tiny_pipeline(prediction_type="v_prediction").save_pretrained(tmp_path / "base")
    config = PretrainingConfig(num_steps=2, batch_size=2, num_warmup_steps=0)
    pipeline, result = editworld.train_editworld(tmp_path, tmp_path / "base", config, num_triplets=4)
    assert result.num_steps == 2 and result.final_loss > 0
    before = tiny_pipeline(prediction_type="v_prediction").unet.state_dict()
    assert any(not torch.equal(value, before[name]) for name, value in pipeline.unet.state_dict().items())
