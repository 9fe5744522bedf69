"""The stages ``captions`` and ``clips`` with tables and videos of a project's own in the place of tinyworld's."""

from __future__ import annotations

import dataclasses

import pandas as pd
import pytest
from tiny_videos import growing_disc, write_video

from editfoundry.data.record import Caption, Clip
from editfoundry.data.tables import read_rows
from editfoundry.errors import BadInputError
from editfoundry.lineage.params import Params
from editfoundry.lineage.stages import run_stage
from editfoundry.sources.caption_stage import CaptionParams
from editfoundry.sources.clip_stage import ClipParams


def test_a_named_table_takes_the_place_of_tinyworlds(tmp_path):
    rows = [{"URL": f"https://a.invalid/{n}", "TEXT": f"a {n} on a wooden table", "punsafe": 0, "pwatermark": 0,
             "similarity": 0.4, "AESTHETIC_SCORE": 7} for n in ("cup", "hat", "cat")]  # fmt: skip
    (tmp_path / "mine").mkdir()
    pd.DataFrame(rows).to_parquet(tmp_path / "mine" / "laion.parquet")
    params = dataclasses.replace(Params(), captions=CaptionParams(table="mine/laion.parquet"))
    result = run_stage("captions", params, tmp_path)
    assert result.num_in == 3
    assert {row.caption for row in read_rows(tmp_path / "data" / "captions", Caption)} == {row["TEXT"] for row in rows}
    assert not (tmp_path / "data" / "tinyworld").exists()


def test_the_shots_of_a_folder_of_videos_are_clips_without_a_table(tmp_path):
    write_video(tmp_path / "videos" / "one.mp4", growing_disc(num_frames=40))
    params = dataclasses.replace(Params(), clips=ClipParams(videos="videos"))
    result = run_stage("clips", params, tmp_path)
    [clip] = read_rows(tmp_path / "data" / "clips", Clip)
    assert result.num_out == 1 and (tmp_path / "data" / "clips" / clip.video).resolve().name == "one.mp4"
    # What DVC and Dagster take for the videos' folder is there, and says where they are.
    assert '"videos": "videos"' in (tmp_path / "data" / "tinyworld" / "clips" / "elsewhere.json").read_text()


@pytest.mark.parametrize(
    ("params", "values", "message"),
    [
        (CaptionParams, {"num_rows": 0}, "num_rows is 0; it must be from 1 to 1000000000"),
        (CaptionParams, {"rows_per_shard": -1}, "rows_per_shard is -1"),
        (ClipParams, {"num_clips": 0}, "num_clips is 0"),
        (ClipParams, {"frame_size": 16}, "frame_size is 16; it must be from 32 to"),
        (ClipParams, {"frame_size": 65}, "frame_size is 65; it must be even"),
        (ClipParams, {"rows_per_shard": 0}, "rows_per_shard is 0"),
    ],
)
def test_a_number_that_cannot_be_is_named(params, values, message):
    with pytest.raises(BadInputError, match=message):
        params(**values)


@pytest.mark.parametrize(
    ("stage", "changed", "message"),
    [
        ("captions", {"captions": CaptionParams(table="")}, "captions.table names nothing, and the profile comes"),
        ("captions", {"captions": CaptionParams(table="gone.parquet")}, "captions.table is gone.parquet, but there is"),
        ("clips", {"clips": ClipParams(videos="")}, "clips.videos names nothing, .*: name a folder of videos"),
        ("clips", {"clips": ClipParams(videos=".", table="gone.csv")}, "clips.table is gone.csv, but there is nothing"),
    ],
)
def test_a_source_that_is_not_named_or_not_there_is_one_line_and_writes_nothing(tmp_path, stage, changed, message):
    with pytest.raises(BadInputError, match=message) as error:
        run_stage(stage, dataclasses.replace(Params(), **changed), tmp_path)
    assert "\n" not in str(error.value) and not list(tmp_path.iterdir())
