"""Sample pictures to try an editor on."""

import numpy as np
from PIL import Image

from editfoundry.data.exchange.pairs_folder import import_pairs_folder
from editfoundry.data.record import PLAIN_CATEGORIES
from editfoundry.data.shards import read_triplets
from editfoundry.tinyworld.captions import scene_from_caption
from editfoundry.tinyworld.samples import write_samples
from editfoundry.tinyworld.scene_sampling import is_held_out


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_samples_are_held_out_scenes_with_their_instructions_and_true_outcomes(tmp_path):
    rows = write_samples(tmp_path / "samples", num_world=4, num_plain=3, seed=0)
    assert [row["category"] for row in rows[4:]] == list(PLAIN_CATEGORIES)
    assert len({row["category"] for row in rows[:4]}) == 4
    for row in rows:
        before, after = (np.asarray(Image.open(tmp_path / "samples" / row[side])) for side in ("input", "output"))
        assert before.shape == after.shape == (64, 64, 3) and (before != after).any()
    assert all(is_held_out(scene_from_caption(row["input_caption"])) for row in rows[:4])


def test_a_seed_gives_the_same_files_again_and_another_seed_others(tmp_path):
    for name, seed in (("one", 0), ("two", 0), ("three", 1)):
        write_samples(tmp_path / name, num_world=2, num_plain=1, seed=seed)
    assert files(tmp_path / "one") == files(tmp_path / "two") != files(tmp_path / "three")


def test_samples_can_be_imported_as_a_folder_of_pairs(tmp_path):
    rows = write_samples(tmp_path / "samples", num_world=2, num_plain=2, seed=0)
    result = import_pairs_folder(tmp_path / "samples", tmp_path / "imported")
    assert (result.num_in, result.num_out) == (4, 4)
    assert {t.instruction for t in read_triplets(tmp_path / "imported")} == {row["instruction"] for row in rows}
