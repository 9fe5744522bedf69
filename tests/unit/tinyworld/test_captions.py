"""Captions that are read back into scenes, their keywords, and LAION-schema tables."""

import re
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from editfoundry.tinyworld.captions import keywords_of, scene_from_caption, write_laion_table
from editfoundry.tinyworld.rules import rules_for
from editfoundry.tinyworld.scene import Scene
from editfoundry.tinyworld.scene_sampling import held_out_place, random_stream, sample_scene

SCENES = [sample_scene(random_stream("caption test", i), ("train", "test")[i % 2]) for i in range(400)]


def test_a_caption_names_everything_that_its_scene_shows() -> None:
    for scene in SCENES:
        read = scene_from_caption(scene.caption)
        assert read.caption == scene.caption
        assert read.background == scene.background
        assert [(o.kind, o.state, o.size, o.position) for o in read.objects] == [
            (o.kind, o.state, o.size, o.position) for o in scene.objects
        ]


def test_an_empty_scene_has_a_caption_too() -> None:
    empty = Scene(background=SCENES[0].background)
    assert scene_from_caption(empty.caption) == empty


@pytest.mark.parametrize(
    ("caption", "message"),
    [("a red apple", "names no background"), ("a red unicorn in a meadow", "'a red unicorn' is no object"), ("", "no")],
)
def test_a_caption_of_another_world_is_refused_with_the_part_that_is_wrong(caption: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        scene_from_caption(caption)


def test_keywords_are_words_of_the_caption_and_name_the_object() -> None:
    for scene in SCENES:
        words = re.findall(r"[\w'-]+", scene.caption)
        for index in range(len(scene.objects)):
            keywords = keywords_of(scene, index)
            assert keywords
            assert set(keywords) <= set(words)


def test_a_laion_table_has_the_schema_of_laion_aesthetics(tmp_path: Path) -> None:
    write_laion_table(tmp_path / "deep" / "table.parquet", 50, seed=1)
    table = pq.read_table(tmp_path / "deep" / "table.parquet")
    columns = ["URL", "TEXT", "WIDTH", "HEIGHT", "similarity", "punsafe", "pwatermark", "AESTHETIC_SCORE", "hash"]
    assert table.column_names == columns
    assert table.num_rows == 50
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["table.parquet"]


def test_two_writes_of_one_table_are_byte_identical_and_another_seed_is_not(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_laion_table(tmp_path / name, 60, seed)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert (tmp_path / "a").read_bytes() != (tmp_path / "c").read_bytes()


def test_a_laion_table_holds_duplicates_and_places_of_the_training_split_and_a_rule_fits_most_rows(
    tmp_path: Path,
) -> None:
    write_laion_table(tmp_path / "t.parquet", 200, seed=3)
    captions = pq.read_table(tmp_path / "t.parquet")["TEXT"].to_pylist()
    scenes = [scene_from_caption(c) for c in captions]
    assert Counter(captions).most_common(1)[0][1] > 1
    assert not any(scene.background.place == held_out_place(o.kind) for scene in scenes for o in scene.objects)
    assert sum(any(rules_for(o.kind, o.state) for o in s.objects) for s in scenes) > 150
