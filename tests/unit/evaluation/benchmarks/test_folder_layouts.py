"""Each benchmark's reader on a small folder of its official layout, whole and with everything wrong that can be."""

import csv
from pathlib import Path

import numpy as np
import pytest
from benchmark_folders import noted, pixels, save, truncate, write_json
from PIL import Image
from tiny_models import tiny_image

from editfoundry.errors import BadInputError
from editfoundry.evaluation.benchmarks.editbench import parts_of
from editfoundry.evaluation.benchmarks.reading import read_benchmark


@pytest.fixture
def editworld(tmp_path):
    for branch, count in (("generated_img", 3), ("video_img", 2)):
        group = tmp_path / branch / "group_0"
        rows = {}
        for n in range(count):
            save(group / f"sample{n}_ori.png", n)
            save(group / f"sample{n}_tar.png", 10 + n)
            rows[f"sample{n}"] = {
                "instuction": f"Make it old {n}.",
                "original_img_path": f"datasets/editworld/{branch}/group_0/sample{n}_ori.png",
                "target_img_path": f"datasets/editworld/{branch}/group_0/sample{n}_tar.png",
                "original_caption": "a house",
                "target_cation": "an old house",
            }
        write_json(group / "img_txt.json", rows)
    return tmp_path


def test_editworld_s_two_branches_are_read_with_the_authors_keys(editworld):
    benchmark = read_benchmark("editworld", editworld)
    assert [item.branch for item in benchmark.items] == ["text"] * 3 + ["video"] * 2
    first = benchmark.items[0]
    assert (first.instruction, first.input_caption, first.output_caption) == (
        "Make it old 0.",
        "a house",
        "an old house",
    )
    assert pixels(first.open_input()) == pixels(tiny_image(0, (24, 16)))
    assert pixels(first.open_truth()) == pixels(tiny_image(10, (24, 16)))
    assert benchmark.facts["num_text"] == 3 and benchmark.facts["expected"] == {"text": 300, "video": 200}
    assert not benchmark.missing and not benchmark.extra


def test_editworld_s_missing_unreadable_and_extra_pictures_are_listed(editworld):
    group = editworld / "generated_img" / "group_0"
    (group / "sample0_ori.png").unlink()
    truncate(group / "sample1_ori.png")
    (group / "sample2_tar.png").unlink()
    save(group / "sample9_ori.png")
    benchmark = read_benchmark("editworld", editworld)
    place = "generated_img-group_0-sample"
    assert noted(benchmark) == {(f"{place}0", "input"), (f"{place}1", "input"), (f"{place}2", "truth")}
    assert [item.id for item in benchmark.items][0] == f"{place}2" and benchmark.items[0].truth is None
    assert benchmark.extra == (
        "generated_img/group_0/sample0_tar.png",
        "generated_img/group_0/sample1_tar.png",
        "generated_img/group_0/sample9_ori.png",
    )


def test_editworld_s_folders_whose_names_join_alike_are_items_of_their_own(tmp_path):
    for place in ("a-b", "a/b"):
        save(tmp_path / place / "s_ori.png")
        row = {"instuction": "Do.", "original_img_path": f"datasets/{place}/s_ori.png"}
        write_json(tmp_path / place / "img_txt.json", {"s": row})
    benchmark = read_benchmark("editworld", tmp_path)
    assert len(benchmark.items) == 2 and not benchmark.extra


@pytest.fixture
def magicbrush(tmp_path):
    sessions = {}
    for session, count in (("139", 3), ("30", 1)):
        turns = []
        save(tmp_path / "images" / session / f"{session}-input.png", int(session))
        for n in range(1, count + 1):
            save(tmp_path / "images" / session / f"{session}-output{n}.png", int(session) + n)
            mask = tiny_image(0, (24, 16)).convert("RGBA")
            mask.putalpha(Image.new("L", (24, 16), 255 if n > 1 else 0))
            mask.save(tmp_path / "images" / session / f"{session}-mask{n}.png")
            source = f"{session}-input.png" if n == 1 else f"{session}-output{n - 1}.png"
            turns.append(
                {
                    "input": source,
                    "mask": f"{session}-mask{n}.png",
                    "output": f"{session}-output{n}.png",
                    "instruction": f"Do {n}.",
                }
            )
        sessions[session] = turns
    write_json(tmp_path / "edit_sessions.json", sessions)
    captions = {"139": {"139-input.png": "a road", "139-output1.png": "a road with a dog"}}
    write_json(tmp_path / "global_descriptions.json", captions)
    return tmp_path


def test_magicbrush_s_turns_stand_alone_or_follow_each_other(magicbrush):
    single = read_benchmark("magicbrush", magicbrush)
    assert [(i.id, i.category, i.turn, i.group) for i in single.items[:2]] == [
        ("139-1", "turn 1", 0, "139-1"),
        ("139-2", "turn 2", 0, "139-2"),
    ]
    assert pixels(single.items[1].open_input()) == pixels(tiny_image(140, (24, 16)))
    first = single.items[0]
    assert (first.input_caption, first.output_caption) == ("a road", "a road with a dog")
    assert first.open_mask().getextrema() == (255, 255) and single.reference == "truth"
    multi = read_benchmark("magicbrush-multi-turn", magicbrush)
    assert [(i.id, i.category, i.turn, i.group) for i in multi.items] == [
        ("139-1", "earlier turn", 0, "139"),
        ("139-2", "earlier turn", 1, "139"),
        ("139-3", "final turn", 2, "139"),
        ("30-1", "final turn", 0, "30"),
    ]
    assert not multi.missing and not multi.extra


def test_sessions_whose_names_differ_in_what_an_id_may_not_hold_are_all_items(tmp_path):
    sessions = ["照片", "图像", "a b", "a/b", "a-b"]
    for session in sessions:
        save(tmp_path / "images" / session / "1.png")
    write_json(tmp_path / "edit_sessions.json", {s: [{"input": "1.png", "instruction": "Do."}] for s in sessions})
    single = read_benchmark("magicbrush", tmp_path)
    assert len({item.id for item in single.items}) == 5 and not single.extra
    assert single.items[-1].id == "a-b-1" and all(item.id.isascii() for item in single.items)
    assert [i.id for i in read_benchmark("magicbrush", tmp_path).items] == [i.id for i in single.items]
    assert len({item.group for item in read_benchmark("magicbrush-multi-turn", tmp_path).items}) == 5


def test_a_mask_of_magicbrush_that_was_damaged_since_is_one_line(magicbrush):
    first = read_benchmark("magicbrush", magicbrush).items[0]
    truncate(magicbrush / "images" / "139" / "139-mask1.png")
    with pytest.raises(BadInputError, match="139-mask1.png"):
        first.open_mask()


def test_a_session_of_magicbrush_ends_where_a_turn_is_missing(magicbrush):
    truncate(magicbrush / "images" / "139" / "139-output1.png")
    save(magicbrush / "images" / "139" / "139-output7.png")
    assert [i.id for i in read_benchmark("magicbrush", magicbrush).items] == ["139-1", "139-3", "30-1"]
    multi = read_benchmark("magicbrush-multi-turn", magicbrush)
    assert [i.id for i in multi.items] == ["139-1", "30-1"]
    assert noted(multi) == {("139-1", "truth"), ("139-2", "input"), ("139-3", "entry")}
    assert multi.extra[-1] == "images/139/139-output7.png"


@pytest.fixture
def editbench(tmp_path):
    for half in ("natural", "generated"):
        with (tmp_path / f"annotations_{half}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["aos", "prompt_full", "prompt_mask-simple", "prompt_mask-rich"])
            for name in ("color_common_indoor", "count_rare_painting"):
                writer.writerow([name, "a cup, on a table", "a cup", "a small, red cup"])
                save(tmp_path / f"references_{half}" / f"{name}.png", 5)
                hole = Image.new("L", (24, 16))
                hole.paste(255, (0, 0, 12, 16))
                (tmp_path / f"masks_{half}").mkdir(exist_ok=True)
                hole.save(tmp_path / f"masks_{half}" / f"{name}.png")
    return tmp_path


def test_editbench_asks_three_prompts_of_each_picture_with_the_mask_as_a_hole(editbench):
    benchmark = read_benchmark("editbench", editbench)
    assert len(benchmark.items) == 12
    assert [i.category for i in benchmark.items[:3]] == ["Mask-Simple", "Mask-Rich", "Full"]
    rich = benchmark.items[1]
    assert rich.id == "natural-color_common_indoor-mask-rich" and rich.instruction == "a small, red cup"
    source, truth = np.asarray(rich.open_input()), np.asarray(rich.open_truth())
    assert (source[:, :12] == 127).all() and (source[:, 12:] == truth[:, 12:]).all()
    assert rich.parts == {"half": "natural", "attribute": "colour", "object": "common", "scene": "indoor"}
    assert [i.compares for i in benchmark.items[:3]] == ["mask-crop", "mask-crop", "picture"]
    assert len({i.group for i in benchmark.items[:3]}) == 1
    (editbench / "masks_natural" / "count_rare_painting.png").unlink()
    (editbench / "annotations_generated.csv").unlink()
    less = read_benchmark("editbench", editbench)
    assert len(less.items) == 3
    assert noted(less) == {("natural-count_rare_painting", "mask"), ("generated", "entry")}
    assert len(less.extra) == 4


def test_editbench_notes_a_row_with_an_open_quote_and_keeps_those_after_it(editbench):
    listing = editbench / "annotations_natural.csv"
    lines = listing.read_text().splitlines()
    listing.write_text("\n".join([lines[0], 'broken,"a cup,a,b', *lines[1:]]))
    benchmark = read_benchmark("editbench", editbench)
    assert len(benchmark.items) == 12 and noted(benchmark) == {("natural-row-1", "entry")}
    assert "annotations_natural.csv row 1: a quote" in benchmark.missing[0].reason


def test_editbench_s_pictures_with_names_in_other_scripts_are_items_of_their_own(editbench):
    names = {"color_common_indoor": "苹果", "count_rare_painting": "香蕉"}
    for old, new in names.items():
        for folder in ("references_natural", "masks_natural"):
            (editbench / folder / f"{old}.png").rename(editbench / folder / f"{new}.png")
    listing = editbench / "annotations_natural.csv"
    text = listing.read_text()
    for old, new in names.items():
        text = text.replace(old, new)
    listing.write_text(text)
    benchmark = read_benchmark("editbench", editbench)
    assert len({item.id for item in benchmark.items}) == 12 and not benchmark.extra


def test_editbench_notes_a_row_with_a_comma_too_many_and_refuses_a_column_that_is_there_twice(editbench):
    listing = editbench / "annotations_natural.csv"
    rows = listing.read_text().splitlines()
    listing.write_text("\n".join([rows[0], rows[1] + ",red", *rows[2:]]))
    benchmark = read_benchmark("editbench", editbench)
    assert benchmark.missing[0].id == "natural-row-1" and "put quotes around" in benchmark.missing[0].reason
    # What a spreadsheet leaves empty behind a row is no field.
    listing.write_text("\n".join([rows[0], *(row + ",," for row in rows[1:])]))
    assert not read_benchmark("editbench", editbench).missing
    listing.write_text("\n".join([rows[0] + ",aos", *rows[1:]]))
    with pytest.raises(BadInputError, match="annotations_natural.csv: has the column 'aos' twice"):
        read_benchmark("editbench", editbench)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_editbench_s_mask_of_strokes_on_an_empty_layer_is_a_hole_of_the_strokes_alone(editbench, mode):
    path = editbench / "masks_natural" / "color_common_indoor.png"
    plain = read_benchmark("editbench", editbench).items[0].open_mask()
    layer = Image.new(mode, Image.open(path).size, (255,) * (len(mode) - 1) + (0,))
    layer.putalpha(Image.open(path).convert("L"))
    layer.save(path)
    own = next(i for i in read_benchmark("editbench", editbench).items if "color_common_indoor" in i.id)
    assert own.open_mask().tobytes() == plain.tobytes()


def test_editbench_leaves_out_a_picture_whose_mask_has_no_white(editbench):
    Image.new("L", (24, 16), 40).save(editbench / "masks_natural" / "color_common_indoor.png")
    benchmark = read_benchmark("editbench", editbench)
    assert len(benchmark.items) == 9 and noted(benchmark) == {("natural-color_common_indoor", "mask")}
    assert "no white" in benchmark.missing[0].reason


def test_editbench_s_parts_are_read_from_columns_where_there_are_some_and_else_from_the_name():
    assert parts_of({"aos": "17_Material-text_rendering.outdoor"}) == {
        "attribute": "material",
        "object": "text",
        "scene": "outdoor",
    }
    told = {"aos": "a17", "attribute": "number", "object": "rare", "scene": "painting"}
    assert parts_of(told) == {"attribute": "count", "object": "rare", "scene": "painting"}
    assert parts_of({"aos": "a17"}) == {"attribute": "unknown", "object": "unknown", "scene": "unknown"}


def test_a_draw_is_spread_over_the_categories_and_keeps_sessions_whole(magicbrush, editbench):
    drawn = read_benchmark("magicbrush-multi-turn", magicbrush, num_items=3)
    assert {i.group for i in drawn.items} in ({"139"}, {"30"})
    assert "drawn" in drawn.facts
    spread = read_benchmark("editbench", editbench, num_items=3, seed=4)
    assert {i.category for i in spread.items} == {"Mask-Simple", "Mask-Rich", "Full"}


@pytest.mark.parametrize("name", ["editworld", "emu-edit", "magicbrush", "editbench"])
def test_a_folder_that_is_no_such_benchmark_is_refused_by_name(name, tmp_path):
    with pytest.raises(BadInputError, match=str(tmp_path)):
        read_benchmark(name, tmp_path)
    with pytest.raises(BadInputError, match="--benchmark-folder"):
        read_benchmark(name)


@pytest.mark.parametrize("name", ["tinyworld-world", "tinyworld-new-rules", "tinyworld-plain"])
def test_tinyworld_s_items_are_its_cases(name):
    benchmark = read_benchmark(name, num_items=3, seed=1)
    again = read_benchmark(name, num_items=3, seed=1)
    assert len(benchmark.items) == 3 and [i.id for i in again.items] == [i.id for i in benchmark.items]
    for item in benchmark.items:
        assert pixels(item.open_input()) == item.case.input_image.tolist()
        assert pixels(item.open_truth()) == item.case.true_output.tolist()
    with pytest.raises(BadInputError, match="drawn, not read"):
        read_benchmark(name, Path("x"))
