"""Ground truth of triplets, read from their captions."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from editfoundry.data.edit_tasks import EditTask
from editfoundry.data.record import Triplet
from editfoundry.data.shards import write_triplets
from editfoundry.errors import BadInputError
from editfoundry.pretraining.triplet_truth import case_from_captions, case_of_task, triplet_truth, triplet_verdict
from editfoundry.tinyworld.captions import scene_from_caption
from editfoundry.tinyworld.scene import render
from editfoundry.tinyworld.scene_sampling import random_stream
from editfoundry.tinyworld.tasks.edits_of_scenes import sample_edit_of_scene
from editfoundry.tinyworld.tasks.task_sampling import sample_task_edit

BEFORE = "an ice cube on the left and a melting white clock on the right on a beach"
AFTER = "a melted ice cube on the left and a melting white clock on the right on a beach"


def triplet(output: np.ndarray, input_caption: str, output_caption: str) -> Triplet:
    return Triplet(
        instruction="Fry it.",
        input_image=Image.fromarray(np.zeros((64, 64, 3), np.uint8)),
        output_image=Image.fromarray(output),
        input_caption=input_caption,
        output_caption=output_caption,
    )


def picture(caption: str) -> np.ndarray:
    return render(scene_from_caption(caption))


def nearest(made: Triplet) -> str | None:
    verdict = triplet_verdict(made)
    return None if verdict is None else verdict.nearest


def test_the_true_scene_counts_as_right_the_unchanged_one_does_not() -> None:
    assert nearest(triplet(picture(AFTER), BEFORE, AFTER)) == "truth"
    assert nearest(triplet(picture(BEFORE), BEFORE, AFTER)) == "input"


def test_each_wrong_outcome_counts_as_wrong() -> None:
    case = case_from_captions(BEFORE, AFTER, "Heat the ice cube.")
    assert case is not None
    assert [nearest(triplet(wrong, BEFORE, AFTER)) for wrong in case.wrong_outputs] == ["wrong"] * len(
        case.wrong_outputs
    )


def test_what_happens_outside_the_change_does_not_matter() -> None:
    output = picture(AFTER).copy()
    output[:, 40:] = 0
    assert nearest(triplet(output, BEFORE, AFTER)) == "truth"


def test_a_picture_of_another_size_is_scored_all_the_same() -> None:
    large = render(scene_from_caption(AFTER), size=256)
    assert nearest(triplet(large, BEFORE, AFTER)) == "truth"


def test_captions_of_the_real_world_have_no_known_outcome() -> None:
    assert nearest(triplet(picture(AFTER), "a man in a boat", "a man on the shore")) is None
    assert nearest(triplet(picture(AFTER), BEFORE, BEFORE)) is None


def test_shares_are_counted_apart_for_what_was_kept_and_dropped(tmp_path: Path) -> None:
    right, wrong = triplet(picture(AFTER), BEFORE, AFTER), triplet(picture(BEFORE), BEFORE, AFTER)
    foreign = triplet(np.zeros((64, 64, 3), np.uint8), "a boat", "a ship")
    write_triplets(tmp_path / "00000.tar", [right, wrong, foreign], input_hash="x")
    truth = triplet_truth(tmp_path, kept_ids={right.id})
    assert (truth.kept.value, truth.dropped.value, truth.num_unreadable) == (1.0, 0.0, 1)
    assert truth.to_dict()["kept_minus_dropped"] == {"value": 1.0, "low": 1.0, "high": 1.0, "n": 2}
    everything = triplet_truth(tmp_path)
    assert (everything.kept.value, everything.kept.n, everything.dropped.n) == (0.5, 2, 0)


def test_candidates_of_one_pair_of_captions_are_worth_one(tmp_path: Path) -> None:
    """Eight that are right for one pair and eight that are wrong for another are two witnesses, not sixteen."""
    after = ["a red apple on the left in a meadow", "a red apple on the right in a meadow"]
    outcomes = [picture(after[0]), picture("a green apple on the right in a meadow")]
    made = [
        triplet(np.bitwise_xor(outcome, number), caption.replace("red", "green"), caption)
        for outcome, caption in zip(outcomes, after, strict=True)
        for number in range(8)
    ]
    write_triplets(tmp_path / "00000.tar", made, input_hash="x")
    truth = triplet_truth(tmp_path)
    assert (truth.kept.value, truth.kept.low, truth.kept.high, truth.kept.n) == (0.5, 0.0, 1.0, 16)


def test_shards_without_any_tinyworld_caption_are_refused(tmp_path: Path) -> None:
    write_triplets(tmp_path / "00000.tar", [triplet(picture(AFTER), "a boat", "a ship")], input_hash="x")
    with pytest.raises(BadInputError, match="captions of tinyworld"):
        triplet_truth(tmp_path)


def test_a_score_ranks_right_triplets_above_wrong_ones_as_often_as_all_their_pairs_say(tmp_path: Path) -> None:
    pictures = [AFTER, AFTER, BEFORE, BEFORE]
    scored = zip(pictures, (0.9, 0.5, 0.5, 0.1), ("change", "change", "change", "add"), strict=True)
    made = [
        replace(
            triplet(picture(shown), BEFORE, AFTER),
            instruction=f"Fry it {n}.",
            scores={"good": value, "same": 1.0},
            category=category,
        )
        for n, (shown, value, category) in enumerate(scored)
    ]
    write_triplets(tmp_path / "00000.tar", [*made[:3], replace(made[3], scores={**made[3].scores, "own": 1.0})])
    # Of four pairs three are in order and one is a tie.
    assert triplet_truth(tmp_path).to_dict()["ranking"] == {"good": 0.875, "same": 0.5}
    assert triplet_truth(tmp_path, category="change").ranking["good"] == 0.75
    assert triplet_truth(tmp_path, category="add").ranking == {}
    with pytest.raises(BadInputError, match="no triplet of the category remove"):
        triplet_truth(tmp_path, category="remove")


def test_triplets_that_carry_tasks_are_told_by_task_too(tmp_path: Path) -> None:
    edits = [sample_task_edit(random_stream("by task", n), "train", EditTask.TEXTURE) for n in range(2)]
    made = [
        Triplet(
            instruction=edit.instruction,
            input_image=Image.fromarray(edit.input_image),
            output_image=Image.fromarray(picture),
            input_caption=edit.input_caption,
            output_caption=edit.output_caption,
            task="texture",
        )
        for edit, picture in zip(edits, (edits[0].output_image, edits[1].input_image), strict=True)
    ]
    local = Triplet(**{**vars(triplet(picture(AFTER), BEFORE, AFTER)), "task": "local"})
    write_triplets(tmp_path / "00000.tar", [*made, local])
    truth = triplet_truth(tmp_path)
    assert {task: (own.kept.value, own.kept.n) for task, own in truth.by_task.items()} == {
        "local": (1.0, 1),
        "texture": (0.5, 2),
    }
    assert truth.to_dict()["by_task"]["texture"]["right_share"]["value"] == 0.5 and truth.kept.n == 3


@pytest.mark.parametrize("task", ["style", "color", "detect", "segment", "depth", "global"])
def test_an_edit_is_read_back_from_its_captions(task: str) -> None:
    edit = sample_edit_of_scene(random_stream("read back", task), scene_from_caption(BEFORE), EditTask(task))
    assert edit is not None
    case = case_of_task(task, edit.input_caption, edit.output_caption)
    assert case is not None and np.array_equal(case.true_output, edit.output_image)
