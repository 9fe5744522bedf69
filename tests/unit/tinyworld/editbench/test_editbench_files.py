"""tinyworld's EditBench lies in the official files: the reader of the real one reads it."""

import json

import numpy as np
import pytest
from PIL import Image

from editfoundry.errors import BadInputError
from editfoundry.evaluation.benchmarks.editbench import read_editbench
from editfoundry.evaluation.benchmarks.reading import read_benchmark
from editfoundry.tinyworld.editbench.editbench_files import TRUTH_FILE, write_editbench
from editfoundry.tinyworld.scene import render, scene_from_dict

COUNT = 6


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("editbench") / "EditBench"
    write_editbench(out, COUNT)
    return out


def test_the_official_reader_reads_it_as_the_drawn_benchmark_asks_it(folder):
    read, drawn = read_editbench(folder), read_benchmark("tinyworld-editbench", num_items=3 * COUNT)
    assert not read.missing and not read.extra and len(read.items) == 3 * COUNT
    for ours, theirs in zip(drawn.items, read.items, strict=True):
        assert (ours.category, ours.instruction) == (theirs.category, theirs.instruction)
        for mine, other in ((ours.open_input(), theirs.open_input()), (ours.open_truth(), theirs.open_truth())):
            assert (np.asarray(mine) == np.asarray(other)).all()
        assert (np.asarray(ours.open_mask()) == np.asarray(theirs.open_mask())).all()
        assert {way: theirs.parts[way] for way in ("attribute", "object", "scene")}.items() <= ours.parts.items()


def test_the_truth_draws_the_pictures_again(folder):
    for line in (folder / TRUTH_FILE).read_text().splitlines():
        truth = json.loads(line)
        picture = Image.open(folder / "references_generated" / f"{truth['aos']}.png")
        assert (render(scene_from_dict(truth["scene"])) == np.asarray(picture)).all()
        assert {"simple", "rich", "full"} == set(truth["asked"])
        assert {variant["wrong"] for variant in truth["variants"]} >= {"object"}


def test_a_folder_of_something_else_is_not_replaced(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(BadInputError, match=str(tmp_path)):
        write_editbench(tmp_path, 1)
    assert (tmp_path / "mine.txt").is_file()
