import pytest
from PIL import Image

from editfoundry.data.record import Triplet
from editfoundry.data.shards import write_triplets
from editfoundry.data.split_leaks import find_leaks, split_folders
from editfoundry.errors import BadInputError


def triplet(colour, instruction, caption):
    before, after = Image.new("RGB", (8, 8), colour), Image.new("RGB", (8, 8), "black")
    return Triplet(instruction=instruction, input_image=before, output_image=after, input_caption=caption)


def write(folder, **splits):
    for split, triplets in splits.items():
        (folder / split).mkdir(parents=True)
        write_triplets(folder / split / "00000.tar", triplets)


def kinds(folder):
    return [(leak.what, leak.splits) for leak in find_leaks(folder)]


def test_nothing_shared_is_no_leak(tmp_path):
    write(tmp_path, train=[triplet("red", "melt", "ice")], test=[triplet("blue", "grow", "a seed")])
    assert kinds(tmp_path) == []


def test_an_input_image_in_two_splits_is_a_leak_whatever_the_instruction(tmp_path):
    write(tmp_path, train=[triplet("red", "melt", "ice")], test=[triplet("red", "grow", "a seed")])
    assert kinds(tmp_path) == [("input image", ("train", "test"))]


def test_a_quadruple_in_two_splits_is_a_leak_whatever_the_picture(tmp_path):
    write(tmp_path, train=[triplet("red", "melt", "ice")], validation=[triplet("blue", "melt", "ice")])
    assert kinds(tmp_path) == [("quadruple", ("train", "validation"))]


def test_the_same_triplet_in_three_splits_names_all_three(tmp_path):
    same = triplet("red", "melt", "ice")
    write(tmp_path, test=[same], train=[same], validation=[same])
    assert {splits for _, splits in kinds(tmp_path)} == {("train", "validation", "test")}
    assert {what for what, _ in kinds(tmp_path)} == {"triplet", "input image", "quadruple"}


def test_a_split_without_shards_is_left_out(tmp_path):
    write(tmp_path, train=[triplet("red", "melt", "ice")])
    (tmp_path / "test").mkdir()
    assert list(split_folders(tmp_path)) == ["train"]


def test_a_folder_without_splits_is_bad_input_and_not_a_clean_data_set(tmp_path):
    with pytest.raises(BadInputError, match="nothing can be compared"):
        find_leaks(tmp_path)
