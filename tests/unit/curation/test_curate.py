import json
from dataclasses import asdict, replace

import numpy as np
import pytest
from PIL import Image, ImageDraw

from editfoundry.curation.curate import _read_usable, curate
from editfoundry.curation.curation_config import CurationConfig
from editfoundry.curation.first_pass import FirstPass
from editfoundry.curation.score_filters import ClipThresholds
from editfoundry.curation.splits import SplitShares
from editfoundry.data.hashing import input_hash
from editfoundry.data.record import Triplet
from editfoundry.data.rejections import read_rejections
from editfoundry.data.shards import count_triplets, read_triplet, read_triplets, shard_paths, write_triplets
from editfoundry.data.split_leaks import find_leaks, split_folders
from editfoundry.errors import BadInputError
from editfoundry.execution.runner import run_stage

GOOD = {"clip_input": 0.3, "clip_output": 0.3, "clip_image": 0.9, "clip_direction": 0.3}
CONFIG = CurationConfig(shares=SplitShares(validation=0.25, test=0.25), triplets_per_shard=4)


def noise(seed: int) -> Image.Image:
    """Coarse random blocks, 32 px: no two look alike."""
    blocks = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return Image.fromarray(blocks).resize((32, 32), Image.Resampling.NEAREST)


def triplet(seed: int, caption: str = "", **changes: object) -> Triplet:
    made = Triplet(
        instruction="melt it",
        input_image=noise(2 * seed),
        output_image=noise(2 * seed + 1),
        input_caption=caption or f"picture {seed}",
        scores=GOOD,
    )
    return replace(made, **changes)


def disc(colour: str) -> Image.Image:
    image = Image.new("RGB", (32, 32), "white")
    ImageDraw.Draw(image).ellipse((8, 8, 24, 24), fill=colour)
    return image


def write(folder, *shards):
    for number, triplets in enumerate(shards):
        write_triplets(folder / f"{number:05}.tar", triplets)
    return folder


@pytest.fixture
def source(tmp_path):
    return tmp_path / "triplets"


@pytest.fixture
def output(tmp_path):
    return tmp_path / "dataset"


def kept(output):
    return {t.id for folder in split_folders(output).values() for t in read_triplets(folder)}


def test_every_triplet_is_kept_in_one_split_or_rejected_with_its_reason(source, output):
    low = triplet(90, scores={**GOOD, "clip_image": 0.1})
    unscored = triplet(91, scores={})
    write(source, [triplet(n) for n in range(20)], [triplet(3), low, unscored])
    result = curate(source, output, CONFIG)
    assert (result.num_in, result.num_out) == (23, 20)
    assert result.rejected == {"duplicate": 1, "low clip_image": 1, "no score": 1}
    assert sum(count_triplets(folder) for folder in split_folders(output).values()) == 20
    assert {r.id for r in read_rejections(output)} == {triplet(3).id, low.id, unscored.id}
    assert all(t.split == name for name, folder in split_folders(output).items() for t in read_triplets(folder))


def test_several_folders_become_one_data_set_and_an_empty_one_is_named(source, output, tmp_path):
    write(source, [triplet(n) for n in range(10)])
    write(tmp_path / "more", [triplet(n) for n in range(8, 20)])
    result = curate([source, tmp_path / "more"], output, CONFIG)
    assert (result.num_in, result.num_out, result.rejected) == (22, 20, {"duplicate": 2})
    assert kept(output) == {triplet(n).id for n in range(20)}
    assert curate([source, tmp_path / "more"], output, CONFIG).num_shards_reused
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInputError, match="empty: holds no triplet shard"):
        curate([source, tmp_path / "empty"], output, CONFIG)


@pytest.mark.parametrize("name", ["clip_input", "clip_output", "clip_image", "clip_direction"])
def test_a_score_at_its_threshold_is_kept_and_one_below_is_not(source, output, name):
    lowest = getattr(ClipThresholds(), name)
    at, below = (triplet(n, scores={**GOOD, name: score}) for n, score in ((50, lowest), (51, lowest - 0.01)))
    write(source, [*(triplet(n) for n in range(8)), at, below])
    assert curate(source, output, CONFIG).rejected == {f"low {name}": 1}
    assert at.id in kept(output) and below.id not in kept(output)


def test_what_looks_the_same_is_dropped(source, output):
    original = triplet(0)
    brighter = original.input_image.point(lambda value: min(255, value + 1))
    write(source, [triplet(n) for n in range(8)], [replace(original, input_image=brighter)])
    assert curate(source, output, CONFIG).rejected == {"near duplicate": 1}


def test_the_same_shape_in_another_colour_is_no_duplicate(source, output):
    pairs = [
        triplet(n, "a disc", input_image=disc(c), output_image=disc("black")) for n, c in enumerate(["red", "blue"])
    ]
    write(source, [*pairs, *(triplet(n) for n in range(10, 18))])
    assert curate(source, output, CONFIG).rejected == {}


def test_triplets_of_one_caption_are_in_one_split_and_splits_share_nothing(source, output):
    write(source, [triplet(n, f"caption {n % 10}") for n in range(40)])
    curate(source, output, CONFIG)
    splits_of: dict[str, set[str]] = {}
    for name, folder in split_folders(output).items():
        for t in read_triplets(folder):
            splits_of.setdefault(t.input_caption, set()).add(name)
    assert all(len(splits) == 1 for splits in splits_of.values())
    assert len(split_folders(output)) > 1 and find_leaks(output) == []


def test_one_input_picture_under_many_captions_stays_in_one_split(source, output):
    same = [triplet(n, input_image=noise(999)) for n in range(20)]
    write(source, [*same, *(triplet(n) for n in range(30, 40))])
    result = curate(source, output, CONFIG)
    assert result.rejected.keys() == {"input picture of another split"}
    assert find_leaks(output) == []


def test_triplets_without_caption_are_spread_by_their_pictures(source, output):
    write(source, [replace(triplet(n), input_caption="") for n in range(40)])
    curate(source, output, CONFIG)
    assert len(split_folders(output)) == 3 and find_leaks(output) == []


def test_a_second_run_touches_nothing_and_another_threshold_redoes_it(source, output):
    write(source, [triplet(n, scores={**GOOD, "clip_input": 0.25 + n / 100}) for n in range(10)])
    first = curate(source, output, CONFIG)
    before = {path: path.stat().st_mtime_ns for path in output.rglob("*")}
    again = curate(source, output, CONFIG)
    assert {path: path.stat().st_mtime_ns for path in output.rglob("*")} == before
    assert (again.num_shards_reused, again.num_in, again.num_out) == (1, first.num_in, first.num_out)
    stricter = curate(source, output, replace(CONFIG, thresholds=ClipThresholds(clip_input=0.3)))
    assert stricter.num_out == 5 and len(kept(output)) == 5


def test_two_data_sets_of_the_same_triplets_have_the_same_bytes(source, tmp_path):
    write(source, [triplet(n) for n in range(10)])
    for name in ("one", "two"):
        curate(source, tmp_path / name, CONFIG)
    one, two = (
        {p.relative_to(tmp_path / name): p.read_bytes() for p in (tmp_path / name).rglob("*") if p.is_file()}
        for name in ("one", "two")
    )
    assert one == two


def test_when_nothing_is_left_the_message_says_why_and_nothing_is_written(source, output):
    write(source, [triplet(n, scores={**GOOD, "clip_input": 0.0}) for n in range(3)])
    with pytest.raises(BadInputError, match="no triplet is left for training .*low clip_input 3.*thresholds"):
        curate(source, output, CONFIG)
    assert not output.exists()


def test_a_run_that_fails_leaves_the_earlier_data_set_as_it_was(source, output):
    write(source, [triplet(n) for n in range(8)])
    curate(source, output, CONFIG)
    before = {path: path.read_bytes() for path in output.rglob("*") if path.is_file()}
    tar = source / "00000.tar"
    tar.write_bytes(tar.read_bytes()[: tar.stat().st_size // 2])
    with pytest.raises(BadInputError, match="00000.tar"):
        curate(source, output, replace(CONFIG, seed=1))
    assert {path: path.read_bytes() for path in output.rglob("*") if path.is_file()} == before
    assert [path.name for path in output.parent.iterdir() if "partial" in path.name] == []


def test_a_folder_without_shards_is_bad_input(source, output):
    source.mkdir()
    with pytest.raises(BadInputError, match="holds no triplet shard"):
        curate(source, output, CONFIG)


def test_a_folder_with_other_content_is_left_alone(source, output):
    write(source, [triplet(n) for n in range(8)])
    output.mkdir()
    (output / "thesis.txt").write_text("mine")
    with pytest.raises(BadInputError, match="exists with other content"):
        curate(source, output, CONFIG)
    assert [path.name for path in output.iterdir()] == ["thesis.txt"]


def test_a_lost_shard_of_the_data_set_is_made_again(source, output):
    write(source, [triplet(n) for n in range(8)])
    curate(source, output, CONFIG)
    next((output / "train").glob("*.tar")).unlink()
    assert curate(source, output, CONFIG).num_shards_reused == 0
    assert len(kept(output)) == 8


def test_the_summary_holds_the_counts(source, output):
    write(source, [triplet(n) for n in range(8)])
    curate(source, output, CONFIG)
    summary = json.loads((output / "curation.json").read_text())
    assert (summary["num_in"], summary["num_out"], summary["rejected"]) == (8, 8, {})


def test_a_split_that_came_with_the_data_is_kept_and_no_edit_of_it_goes_elsewhere(source, output):
    given = [triplet(n, split=split) for n, split in enumerate(["train"] * 4 + ["validation"] * 4 + ["test"] * 4)]
    same_caption = triplet(20, given[8].input_caption, instruction="freeze it")
    same_edit = triplet(21, given[9].input_caption, split="train")
    same_picture = replace(triplet(22), input_image=given[10].input_image, split="train")
    write(source, [*given, same_caption, same_edit, same_picture])
    result = curate(source, output, CONFIG)
    assert result.rejected == {"edit of another split": 1, "input picture of another split": 1}
    found = {t.id: name for name, folder in split_folders(output).items() for t in read_triplets(folder)}
    assert found == {**{t.id: t.split for t in given}, same_caption.id: "test"}
    assert find_leaks(output) == []


@pytest.mark.parametrize("part", ["output_image", "mask"])
def test_pictures_of_two_sizes_are_no_pair(part, source, output):
    odd = replace(triplet(50), **{part: Image.new("L" if part == "mask" else "RGB", (96, 128))})
    write(source, [*(triplet(n) for n in range(10)), odd])
    assert curate(source, output, CONFIG).rejected == {"size mismatch": 1}
    assert next(read_rejections(output)).detail == "32 x 32 and 96 x 128"


def test_a_recipe_can_have_thresholds_of_its_own_and_the_others_stay(source, output):
    far = {**GOOD, "clip_image": 0.5}
    made = [triplet(n, recipe="editworld-video" if n % 2 else "editworld-text", scores=far) for n in range(24)]
    made += [triplet(24, recipe="editworld-video", scores={**far, "clip_input": 0.1})]
    write(source, made)
    config = replace(CONFIG, recipe_thresholds={"editworld-video": {"clip_image": 0.4}})
    result = curate(source, output, config)
    assert result.rejected == {"low clip_image": 12, "low clip_input": 1}
    assert {row.recipe for folder in split_folders(output).values() for row in read_triplets(folder)} == {
        "editworld-video"
    }
    assert curate(source, output, config).num_shards_reused == 1
    # Other thresholds make another data set.
    assert curate(source, output, replace(config, recipe_thresholds={"editworld-video": {"clip_image": 0.3}})).num_out


def test_without_thresholds_of_recipes_the_digest_is_that_of_the_fields_without_them(source, output):
    write(source, [triplet(n) for n in range(12)])
    curate(source, output, CONFIG)
    fields = {name: value for name, value in asdict(CONFIG).items() if name != "recipe_thresholds"}
    indexes = sorted(source.glob("*.parquet"))
    expected = input_hash(*indexes, {"CurationConfig": fields})
    assert json.loads((output / "curation.json").read_text())["input_hash"] == expected


@pytest.mark.parametrize(
    ("thresholds", "message"),
    [
        (
            {"editworld-text": {"clip": 0.1}},
            "recipe_thresholds.editworld-text.clip; there are clip_input",
        ),
        (
            {"editworld-text": {"clip_image": 75}},
            "recipe_thresholds.editworld-text.clip_image is 75; it must be from -1",
        ),
        ({"editworld-text": {"clip_image": "high"}}, "recipe_thresholds.editworld-text.clip_image is 'high'"),
        ({"editworld-text": 0.3}, "recipe_thresholds.editworld-text is 0.3; it must map scores"),
    ],
)
def test_wrong_thresholds_of_a_recipe_are_named(thresholds, message):
    with pytest.raises(BadInputError, match=message):
        CurationConfig(recipe_thresholds=thresholds)


class StoppedError(Exception):
    """Ends a run without warning."""


def test_a_stopped_run_looks_at_no_shard_twice_and_leaves_nothing_behind(source, output, tmp_path, monkeypatch):
    write(source, [triplet(n) for n in range(8)], [triplet(n) for n in range(8, 16)])
    curate(source, tmp_path / "whole", CONFIG)
    looked = []

    def look(shard, row):
        looked.append(row["id"])
        if len(looked) == 12:
            raise StoppedError
        return read_triplet(shard, row)

    with monkeypatch.context() as patch:
        patch.setattr("editfoundry.curation.curate.read_triplet", look)
        with pytest.raises(StoppedError):
            curate(source, output, CONFIG)
        assert not output.exists()
        told = []
        curate(source, output, CONFIG, lambda *numbers: told.append(numbers))
    assert told[0] == (8, 16) and told[-1] == (16, 16)
    files = [{p.name: p.read_bytes() for p in (folder / "train").iterdir()} for folder in (output, tmp_path / "whole")]
    assert files[0] == files[1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dataset", "triplets", "whole"]


def test_the_first_pass_can_be_made_one_shard_at_a_time_in_any_order(source, output, tmp_path):
    write(source, [triplet(n) for n in range(6)], [triplet(5), triplet(7, scores={}), triplet(8)])
    stage = FirstPass(tuple(shard_paths(source)), CONFIG, _read_usable)
    for name in ("00001", "00000"):
        run_stage(stage, tmp_path / ".dataset.first-pass", only=name)
    told = []
    result = curate(source, output, CONFIG, lambda *numbers: told.append(numbers))
    assert told[0] == (6, 9) and result.rejected == {"duplicate": 1, "no score": 1}


def test_triplets_without_scores_are_sent_to_be_scored_and_not_to_lower_thresholds(source, output):
    write(source, [triplet(n, scores={}) for n in range(3)])
    with pytest.raises(BadInputError, match="no score 3; .*; give triplets their scores with editfoundry score first$"):
        curate(source, output, CONFIG)
    write(source, [triplet(0, scores={}), triplet(1, scores={**GOOD, "clip_input": 0.0})])
    with pytest.raises(BadInputError, match="editfoundry score first, and lower dataset.thresholds or make more"):
        curate(source, output, CONFIG)


@pytest.mark.parametrize("is_damaged", [True, False])
def test_a_run_that_fails_by_bad_input_leaves_no_first_pass_behind(source, output, is_damaged):
    write(source, [triplet(n, scores=GOOD if is_damaged else {}) for n in range(8)])
    tar = source / "00000.tar"
    if is_damaged:
        tar.write_bytes(tar.read_bytes()[: tar.stat().st_size // 2])
    with pytest.raises(BadInputError):
        curate(source, output, CONFIG)
    assert [path.name for path in output.parent.iterdir()] == [source.name]


def test_a_folder_of_ones_own_in_the_place_of_the_first_pass_is_left_alone(source, output):
    write(source, [triplet(n) for n in range(8)])
    own = output.with_name(f".{output.name}.first-pass")
    own.mkdir()
    (own / "thesis.txt").write_text("mine")
    with pytest.raises(BadInputError, match="exists with other content"):
        curate(source, output, CONFIG)
    assert (own / "thesis.txt").read_text() == "mine"
