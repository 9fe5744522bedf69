from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from editfoundry.data.exchange.editworld import export_editworld, import_editworld
from editfoundry.data.rejections import read_rejections
from editfoundry.data.shards import read_triplets, write_triplets
from editfoundry.errors import BadInputError


def picture(path: Path, seed: int, size: tuple[int, int] = (8, 6)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)).save(path)


def entry(stem: str, **changes: object) -> dict[str, object]:
    known = {"instuction": "fry it", "original_img_path": f"{stem}_ori.png", "target_img_path": f"{stem}_tar.png"}
    return {**known, **changes}


def imported(folder: Path, output: Path) -> list[tuple[str, str]]:
    import_editworld(folder, output)
    return [(r.id, r.reason) for r in read_rejections(output)]


def test_export_then_import_gives_equal_triplets(tmp_path, triplet, same):
    written = [triplet(n, recipe="editworld-video" if n % 3 == 0 else "editworld-text") for n in range(7)]
    write_triplets(tmp_path / "shards" / "00000.tar", written)
    assert export_editworld(tmp_path / "shards", tmp_path / "out").num_out == 7
    result = import_editworld(tmp_path / "out", tmp_path / "back")
    assert (result.num_in, result.num_out) == (7, 7)
    assert all(map(same, written, read_triplets(tmp_path / "back")))


def test_a_task_in_other_letters_is_read_and_an_unknown_one_is_rejected_with_its_row(tmp_path):
    listed = [("a", "ADD"), ("b", "fly")]
    for number, (stem, _) in enumerate(listed):
        picture(tmp_path / "in" / f"{stem}_ori.png", number)
        picture(tmp_path / "in" / f"{stem}_tar.png", number + 9)
    rows = [entry(stem, editfoundry={"task": task}) for stem, task in listed]
    (tmp_path / "in" / "train.json").write_text(json.dumps(rows))
    assert imported(tmp_path / "in", tmp_path / "out") == [("train.json row 2", "unknown task")]
    assert [triplet.task for triplet in read_triplets(tmp_path / "out")] == ["add"]


def test_the_export_has_editworlds_files_and_misspelt_keys(tmp_path, triplet):
    write_triplets(tmp_path / "shards" / "00000.tar", [triplet(n) for n in range(102)])
    export_editworld(tmp_path / "shards", tmp_path / "out")
    train = json.loads((tmp_path / "out" / "train.json").read_text())
    assert len(train) == 102
    group = tmp_path / "out" / "generated_img" / "group_1"
    assert sorted(p.name for p in group.glob("*_*.png"))[-2:] == ["sample1_ori.png", "sample1_tar.png"]
    samples = json.loads((group / "img_txt.json").read_text())
    assert list(samples) == ["sample0", "sample1"] and samples["sample1"] == train[101]
    assert train[101]["instuction"] == "melt it, number 101"
    assert train[101]["target_cation"] == 'a "puddle" – très bien' and train[101]["key_words"] == "snowman, winter"


def test_groups_of_the_video_branch_have_the_file_that_their_lister_asks_for(tmp_path, triplet):
    write_triplets(tmp_path / "shards" / "00000.tar", [triplet(0, recipe="editworld-video")])
    export_editworld(tmp_path / "shards", tmp_path / "out")
    group = tmp_path / "out" / "video_img" / "group_0"
    assert (group / "img_txt_ori.json").read_bytes() == (group / "img_txt.json").read_bytes()


def test_paths_from_the_directory_that_editworlds_scripts_ran_in_are_found(tmp_path):
    folder = tmp_path / "editworld"
    for branch, seed in (("generated_img", 1), ("video_img", 3)):
        picture(folder / branch / "group_0" / "sample0_ori.png", seed)
        picture(folder / branch / "group_0" / "sample0_tar.png", seed + 1)
        samples = {"sample0": entry(f"datasets/editworld/{branch}/group_0/sample0")}
        (folder / branch / "group_0" / "img_txt.json").write_text(json.dumps(samples))
    assert imported(folder, tmp_path / "back") == []
    assert [t.recipe for t in read_triplets(tmp_path / "back")] == ["editworld-text", "editworld-video"]
    # Of one branch alone, a pair of the other branch's must not be taken for its namesake.
    rows = [entry(f"datasets/editworld/{branch}/group_0/sample0") for branch in ("generated_img", "video_img")]
    (folder / "generated_img" / "train.json").write_text(json.dumps(rows))
    assert imported(folder / "generated_img", tmp_path / "one") == [("train.json row 2", "missing image")]


def test_every_unusable_pair_is_recorded_with_its_reason(tmp_path):
    folder = tmp_path / "in"
    stem = "generated_img/group_0/sample"
    for n in range(4):
        picture(folder / f"{stem}{n}_ori.png", n)
        picture(folder / f"{stem}{n}_tar.png", n + 100, (8, 6) if n else (6, 8))
    (folder / f"{stem}2_tar.png").write_bytes((folder / f"{stem}2_tar.png").read_bytes()[:90])
    shutil.copy(folder / f"{stem}3_ori.png", folder / f"{stem}3_tar.png")
    picture(tmp_path / "secret_ori.png", 7)
    ori, tar = f"{stem}1_ori.png", f"{stem}1_tar.png"
    (folder / f"{stem}9_ori.png").symlink_to(tmp_path / "secret_ori.png")
    rows = [
        entry(f"{stem}0"),
        entry(f"{stem}1", original_img_path=tar, target_img_path=ori),
        entry(f"{stem}2"),
        entry(f"{stem}3"),
        entry(f"{stem}4"),
        entry(f"{stem}1", instuction=" "),
        entry(f"{stem}1", target_img_path=ori),
        entry(f"{stem}1", original_img_path="../secret_ori.png"),
        entry(f"{stem}1", original_img_path=str(tmp_path / "secret_ori.png")),
        entry(f"{stem}1", original_img_path=f"{stem}9_ori.png"),
        entry(f"{stem}1", editfoundry={"scores": "high"}),
        "not an entry",
        entry(f"{stem}1"),
    ]
    (folder / "train.json").write_text(json.dumps(rows))
    reasons = [reason for _, reason in imported(folder, tmp_path / "back")]
    assert reasons == [
        "size mismatch",
        "swapped pair",
        "unreadable image",
        "identical pair",
        "missing image",
        "no instruction",
        "identical pair",
        "path leaves folder",
        "missing image",
        "path leaves folder",
        "unreadable fields",
        "no instruction",
    ]
    assert [t.instruction for t in read_triplets(tmp_path / "back")] == ["fry it"]


def test_a_pair_listed_the_other_way_round_by_its_group_is_swapped(tmp_path):
    group = tmp_path / "in" / "generated_img" / "group_0"
    picture(group / "a.png", 1)
    picture(group / "b.png", 2)
    there = {"original_img_path": "generated_img/group_0/a.png", "target_img_path": "generated_img/group_0/b.png"}
    back = {"original_img_path": there["target_img_path"], "target_img_path": there["original_img_path"]}
    (group / "img_txt.json").write_text(json.dumps({"sample0": {"instruction": "fry it", **there}}))
    rows = [{"instruction": "fry it", **back}, {"instruction": "melt it", **there}]
    (tmp_path / "in" / "train.json").write_text(json.dumps(rows))
    assert imported(tmp_path / "in", tmp_path / "back") == [("train.json row 1", "swapped pair")]


@pytest.mark.parametrize("root", ["/home/somebody/EditWorld/datasets", "D:\\data\\editworld"])
def test_a_listing_with_its_makers_absolute_paths_is_read(root, tmp_path):
    folder = tmp_path / "in"
    stem = "generated_img/group_0/sample0"
    picture(folder / f"{stem}_ori.png", 1)
    picture(folder / f"{stem}_tar.png", 2)
    (folder / "train.json").write_text(json.dumps([entry(f"{root}/{stem}")]))
    assert imported(folder, tmp_path / "back") == []
    (folder / "train.json").write_text(json.dumps([entry(f"{root}/../{stem}"), entry(f"{stem}")]))
    assert imported(folder, tmp_path / "up") == [("train.json row 1", "path leaves folder")]


def test_a_listing_of_which_no_pair_can_be_used_is_bad_input_and_leaves_nothing(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "train.json").write_text(json.dumps([entry(f"/data/sample{n}") for n in range(40)]))
    with pytest.raises(BadInputError, match="none of its 40 records was kept .missing image 40.*train.json row 1"):
        import_editworld(tmp_path / "in", tmp_path / "back")
    assert not (tmp_path / "back").exists()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("other.json", "[]", "neither train.json"),
        ("train.json", "[{", "not readable as JSON"),
        ("train.json", "{}", "list"),
    ],
)
def test_a_folder_that_is_no_editworld_data_set_is_bad_input_and_leaves_nothing(tmp_path, name, content, message):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / name).write_text(content)
    with pytest.raises(BadInputError, match=message):
        import_editworld(tmp_path / "in", tmp_path / "back")
    assert [p.name for p in tmp_path.iterdir()] == ["in"]
