import json

import numpy as np
import pytest
from html_outline import check_self_contained
from PIL import Image

from editfoundry.data.record import Triplet
from editfoundry.data.shards import write_triplets
from editfoundry.errors import BadInputError
from editfoundry.evaluation.reports.dataset_page import write_dataset_report

BRANCHES = {"editworld-text": "text", "editworld-video": "video"}


def triplet(number, **fields):
    """A triplet of its own pictures."""
    pixels = np.random.default_rng(number).integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
    images = [Image.fromarray(p) for p in pixels]
    return Triplet(instruction=f"edit {number}", input_image=images[0], output_image=images[1], **fields)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """Ten triplets to train with, in two shards, and two to test."""
    folder = tmp_path_factory.mktemp("data") / "dataset"
    text = [
        triplet(
            n,
            recipe="editworld-text",
            category=("Long-Term", "Story-Type")[n % 2],
            task=("", "local", "add")[n % 3],
            keywords=("Egg", f"word{n}"),
            scores={"clip_image": n / 10, "judge_quality": 3.0},
        )
        for n in range(7)
    ]
    video = [triplet(10 + n, recipe="editworld-video", category="Spatial-Trans", keywords=()) for n in range(3)]
    tests = [triplet(20 + n, recipe="editworld-text", category="Long-Term", keywords=("egg",)) for n in range(2)]
    for path, triplets in (("train/00000", text), ("train/00001", video), ("test/00000", tests)):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        write_triplets(folder / f"{path}.tar", triplets)
    return folder


def test_branches_categories_keywords_and_scores_are_counted(dataset, tmp_path):
    found = write_dataset_report(dataset, tmp_path / "out", BRANCHES)
    assert found["num_triplets"] == 12 and found["splits"] == {"train": 10, "test": 2}
    assert found["branches"] == {"text": {"Long-Term": 6, "Story-Type": 3}, "video": {"Spatial-Trans": 3}}
    assert found["tasks"] == {"text": {"add": 2, "local": 2}}
    assert found["by_split"]["test"] == {"text": {"Long-Term": 2}}
    assert found["keywords"][0] == {"word": "egg", "n": 9, "share": 1.0}
    assert (found["num_keywords"], found["num_with_keywords"], len(found["keywords"])) == (8, 9, 8)
    values = np.arange(7) / 10
    expected, _ = np.histogram(values, bins=20)
    assert found["scores"]["clip_image"]["histogram"] == expected.tolist()
    assert found["scores"]["clip_image"]["mean"] == pytest.approx(values.mean())
    assert found["scores"]["judge_quality"]["n"] == sum(found["scores"]["judge_quality"]["histogram"]) == 7
    assert json.loads((tmp_path / "out" / "dataset.json").read_text()) == found


def test_the_page_shows_the_counts_and_needs_nothing_beside_itself(dataset, tmp_path):
    write_dataset_report(dataset, tmp_path)
    page = check_self_contained((tmp_path / "dataset.html").read_text())
    for said in ("12 triplets", "Long-Term 6 · 50.0 %", "egg 9 · 100.0 %", "clip image", "8 different keywords in 9"):
        assert said in page.text, said


def test_a_folder_of_shards_is_one_part_and_a_folder_without_any_is_refused(dataset, tmp_path):
    assert write_dataset_report(dataset / "train", tmp_path / "out")["splits"] == {"all": 10}
    with pytest.raises(BadInputError, match="neither a data set"):
        write_dataset_report(tmp_path / "nothing", tmp_path / "out")


def test_a_recipe_that_belongs_to_no_branch_is_counted_by_its_name(dataset, tmp_path):
    found = write_dataset_report(dataset, tmp_path, {"editworld-text": "text"})
    assert list(found["branches"]) == ["editworld-video", "text"]


def test_a_cut_index_is_named(tmp_path):
    write_triplets(tmp_path / "00000.tar", [triplet(0, category="add")])
    index = tmp_path / "00000.parquet"
    index.write_bytes(index.read_bytes()[:100])
    with pytest.raises(BadInputError, match="00000.parquet: not a whole Parquet file"):
        write_dataset_report(tmp_path, tmp_path / "out")
