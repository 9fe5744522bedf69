"""InternVid-schema tables and plain folders become clips: files and ranges, nothing cut or encoded."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from tiny_videos import FPS, backdrop, growing_disc, write_video

from editfoundry.data.record import Clip
from editfoundry.data.rejections import read_rejections
from editfoundry.data.tables import read_rows
from editfoundry.errors import BadInputError
from editfoundry.sources.internvid import convert_internvid
from editfoundry.sources.internvid_columns import parse_clip_row
from editfoundry.sources.internvid_filters import InternVidFilters
from editfoundry.sources.video_folder import convert_video_folder

ROW = {
    "YoutubeID": "abcdefghijk", "Start_timestamp": "00:00:01.000", "End_timestamp": "00:00:02.500",
    "Caption": "a  fox\n runs", "Aesthetic_Score": 6.5, "UMT_Score": 0.42,
}  # fmt: skip


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    write_video(folder / "abcdefghijk.mp4", growing_disc(num_frames=10))
    write_video(folder / "more" / "A title [-_345678901].webm", growing_disc(num_frames=10), "libvpx-vp9")
    return folder


def write_table(folder: Path, rows: list[dict], suffix: str = "jsonl") -> Path:
    path, frame = folder / f"table.{suffix}", pd.DataFrame(rows)
    if suffix == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif suffix == "csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path)
    return path


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_every_format_gives_the_same_clips(suffix, videos, tmp_path):
    table = write_table(tmp_path, [ROW, {**ROW, "YoutubeID": "-_345678901"}], suffix)
    result = convert_internvid(table, videos, tmp_path / "out")
    first, second = read_rows(tmp_path / "out", Clip)
    assert (result.num_in, result.num_out) == (2, 2)
    assert (first.start, first.end, first.caption) == (1.0, 2.5, "a fox runs")
    assert (first.aesthetic_score, first.umt_score) == (6.5, 0.42)
    assert (tmp_path / "out" / first.video).resolve() == (videos / "abcdefghijk.mp4").resolve()
    assert second.video.endswith("[-_345678901].webm")


@pytest.mark.parametrize(("text", "seconds"), [
    ("00:00:01.250", 1.25), ("01:02:03", 3723.0), ("2:03.5", 123.5), ("7.5", 7.5), (7.5, 7.5), ("00:00:01,250", 1.25),
])  # fmt: skip
def test_times_are_read_in_every_spelling(text, seconds):
    assert parse_clip_row({**ROW, "Start_timestamp": text, "End_timestamp": "02:00:00"}).start == seconds


def test_each_drop_has_its_reason_and_its_row_number(videos, tmp_path):
    changes = [
        {"Aesthetic_Score": 5.9},
        {"Aesthetic_Score": None},
        {"YoutubeID": "../../etc/passwd"},
        {"YoutubeID": "gone"},
        {"End_timestamp": "00:00:01.000"},
        {"Start_timestamp": "soon"},
        {"End_timestamp": "01:00:00"},
        {"Aesthetic_Score": "pretty"},
        {},
        {},
    ]
    table = write_table(tmp_path, [{**ROW, **change} for change in changes])
    result = convert_internvid(table, videos, tmp_path / "out", rows_per_shard=4)
    assert result.num_in == len(changes) and result.num_out == 1
    assert [(r.row["row_number"], r.reason) for r in read_rejections(tmp_path / "out")] == [
        (1, "low aesthetic score"),
        (2, "aesthetic score unknown"),
        (3, "bad video id"),
        (4, "video not found"),
        (5, "bad time range"),
        (6, "bad time range"),
        (7, "clip too long"),
        (8, "unreadable row"),
        (10, "duplicate clip"),
    ]


def test_shards_are_reused_until_a_video_comes_or_changes(videos, tmp_path):
    folder = tmp_path / "videos"
    write_video(folder / "abcdefghijk.mp4", growing_disc(num_frames=10))
    table = write_table(tmp_path, [ROW, {**ROW, "YoutubeID": "comes_later"}])
    assert convert_internvid(table, folder, tmp_path / "out").rejected == {"video not found": 1}
    assert convert_internvid(table, folder, tmp_path / "out").num_shards_reused == 1
    write_video(folder / "comes_later.mp4", growing_disc(num_frames=10))
    result = convert_internvid(table, folder, tmp_path / "out")
    assert (result.num_shards_reused, result.num_out) == (0, 2)


@pytest.mark.parametrize(("rows", "message"), [([{"a": 1}], "no column for video_id"), ([], "has no rows")])
def test_other_tables_are_bad_input(rows, message, videos, tmp_path):
    with pytest.raises(BadInputError, match=message):
        convert_internvid(write_table(tmp_path, rows), videos, tmp_path / "out")


def test_a_missing_folder_of_videos_is_bad_input(tmp_path):
    with pytest.raises(BadInputError, match="no such folder of videos"):
        convert_internvid(write_table(tmp_path, [ROW]), tmp_path / "gone", tmp_path / "out", InternVidFilters())


def test_whole_files_are_clips_and_what_cannot_be_opened_is_rejected(videos, tmp_path):
    write_video(tmp_path / "in" / "a.mp4", growing_disc(num_frames=10))
    (tmp_path / "in" / "b.mp4").write_text("no video")
    (tmp_path / "in" / "notes.txt").write_text("not looked at")
    result = convert_video_folder(tmp_path / "in", tmp_path / "out")
    (clip,) = read_rows(tmp_path / "out", Clip)
    assert (clip.video_id, clip.start, clip.end) == ("a.mp4", 0.0, None)
    assert (result.num_in, result.num_out, result.rejected) == (2, 1, {"unreadable": 1})
    assert convert_video_folder(tmp_path / "in", tmp_path / "out").num_shards_reused == 1


def test_shots_are_found_at_the_cuts(tmp_path):
    pictures = [backdrop(n // 40, 192, 128) for n in range(120)]
    write_video(tmp_path / "in" / "a.mp4", pictures)
    result = convert_video_folder(tmp_path / "in", tmp_path / "out", "shots")
    clips = list(read_rows(tmp_path / "out", Clip))
    assert (result.num_in, result.num_derived, result.num_out) == (1, 2, 3)
    assert [c.start for c in clips] == pytest.approx([0, 40 / FPS, 80 / FPS], abs=0.01)
    assert [c.end for c in clips] == pytest.approx([40 / FPS, 80 / FPS, 6.0], abs=0.06)


def test_a_folder_without_videos_is_bad_input(tmp_path):
    with pytest.raises(BadInputError, match="no videos here"):
        convert_video_folder(tmp_path, tmp_path / "out")


def test_filters_that_let_everything_pass_by_comparing_with_nan_are_refused():
    for name in ("min_aesthetic_score", "min_umt_score", "max_seconds"):
        with pytest.raises(BadInputError, match=f"{name} is nan"):
            InternVidFilters(**{name: float("nan")})


def test_clips_of_another_table_or_folder_are_replaced_only_when_that_is_wanted(videos, tmp_path):
    convert_internvid(write_table(tmp_path, [ROW]), videos, tmp_path / "out")
    (tmp_path / "more").mkdir()
    other = write_table(tmp_path / "more", [ROW, {**ROW, "Start_timestamp": "00:00:00.500"}])
    with pytest.raises(BadInputError, match="out: holds clips made of .*/table.jsonl, not of .*/more/table.jsonl"):
        convert_internvid(other, videos, tmp_path / "out")
    with pytest.raises(BadInputError, match="--replace"):
        convert_video_folder(videos, tmp_path / "out")
    assert convert_internvid(other, videos, tmp_path / "out", replace=True).num_out == 2


def test_one_shard_of_a_table_is_made_alone(videos, tmp_path):
    rows = [{**ROW, "Start_timestamp": f"00:00:00.{n}00"} for n in (1, 2, 3, 1)]
    table = write_table(tmp_path, rows)
    convert_internvid(table, videos, tmp_path / "all", rows_per_shard=2)
    with pytest.raises(BadInputError, match="'00001' depends on those before it"):
        convert_internvid(table, videos, tmp_path / "out", rows_per_shard=2, only="00001")
    for name in ("00000", "00001"):
        convert_internvid(table, videos, tmp_path / "out", rows_per_shard=2, only=name)
    for path in (tmp_path / "all").iterdir():
        assert (tmp_path / "out" / path.name).read_bytes() == path.read_bytes()
