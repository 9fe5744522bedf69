"""The stage: clip shards in, pair shards out, broken files rejected, resumed with the same bytes."""

from __future__ import annotations

import pytest
import tiny_painter
from tiny_videos import backdrop, growing_disc, write_video

from editfoundry.data.hashing import file_hash
from editfoundry.data.rejections import read_rejections
from editfoundry.data.shards import read_triplets
from editfoundry.errors import BadInputError, MissingModelError
from editfoundry.profiles import load_profile
from editfoundry.sources.video_folder import convert_video_folder
from editfoundry.synthesis.frame_pairs.config import FramePairConfig
from editfoundry.synthesis.frame_pairs.stage import mine_frame_pairs

CONFIG = FramePairConfig(decoding_threads=1, min_clip_similarity=-1.0)


@pytest.fixture(scope="module")
def profile(tmp_path_factory):
    return load_profile(tiny_painter.save_models(tmp_path_factory.mktemp("models")))


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    write_video(folder / "in" / "a good.mp4", growing_disc(1), options={"crf": "12"})
    write_video(folder / "in" / "b still.mp4", [backdrop(2)] * 40)
    (folder / "in" / "c empty.mp4").write_bytes(b"")
    write_video(
        folder / "in" / "deeper" / "d good.webm", growing_disc(3), "libvpx-vp9", options={"crf": "20", "b": "0"}
    )
    convert_video_folder(folder / "in", folder / "clips", files_per_shard=2)
    return folder / "clips"


def test_good_clips_become_pairs_and_the_others_rejections_by_reason(clips, profile, tmp_path):
    result = mine_frame_pairs(clips, tmp_path / "out", CONFIG, profile, "cpu")
    assert (result.num_in, result.num_out, result.rejected) == (3, 2, {"still": 1})
    first, second = read_triplets(tmp_path / "out")
    assert first.instruction == "" and first.recipe == "frame-pairs" and first.source.startswith("a good.mp4 ")
    assert first.input_image.size == first.output_image.size and first.input_image != first.output_image
    assert second.source.startswith("deeper/d good.webm ")
    assert {"change", "clip_image", "sharpness"} <= set(first.scores)
    assert (tmp_path / "out" / first.provenance["video"]).is_file()
    assert first.provenance["first_time"] < first.provenance["last_time"]
    (still,) = read_rejections(tmp_path / "out")
    assert still.row["video_id"] == "b still.mp4"


def test_an_interrupted_run_goes_on_and_leaves_the_same_bytes(clips, profile, tmp_path):
    whole, torn = tmp_path / "whole", tmp_path / "torn"
    mine_frame_pairs(clips, whole, CONFIG, profile, "cpu")
    mine_frame_pairs(clips, torn, CONFIG, profile, "cpu")
    (torn / "00001.parquet").unlink()
    again = mine_frame_pairs(clips, torn, CONFIG, profile, "cpu")
    assert (again.num_shards, again.num_shards_reused) == (2, 1)
    names = sorted(path.name for path in whole.iterdir())
    assert names == sorted(path.name for path in torn.iterdir())
    assert [file_hash(whole / name) for name in names] == [file_hash(torn / name) for name in names]


def test_the_number_of_threads_makes_no_shard_anew_but_a_threshold_does(clips, profile, tmp_path):
    mine_frame_pairs(clips, tmp_path / "out", CONFIG, profile, "cpu")
    threaded = FramePairConfig(decoding_threads=2, min_clip_similarity=-1.0)
    assert mine_frame_pairs(clips, tmp_path / "out", threaded, profile, "cpu").num_shards_reused == 2
    stricter = FramePairConfig(decoding_threads=1, min_clip_similarity=1.0)
    result = mine_frame_pairs(clips, tmp_path / "out", stricter, profile, "cpu")
    assert result.num_shards_reused == 0 and result.rejected["identity lost"] == 2


def test_a_folder_without_clips_and_a_missing_model_are_bad_input(clips, profile, tmp_path):
    with pytest.raises(BadInputError, match="no Parquet table here"):
        mine_frame_pairs(tmp_path, tmp_path / "out", CONFIG, profile, "cpu")
    (tmp_path / "mine.toml").write_text("[clip]\nmodel = 'package:nothing'")
    with pytest.raises(MissingModelError):
        mine_frame_pairs(clips, tmp_path / "out", CONFIG, load_profile(tmp_path / "mine.toml"), "cpu")


def test_one_shard_of_clips_is_mined_alone(clips, profile, tmp_path):
    mine_frame_pairs(clips, tmp_path / "all", CONFIG, profile, "cpu")
    told = []
    mine_frame_pairs(clips, tmp_path / "out", CONFIG, profile, "cpu", lambda *n: told.append(n), only="00001")
    assert told[-1] == (1, 1) and not (tmp_path / "out" / "00000.tar").exists()
    for name in ("00001.tar", "00001.parquet"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "all" / name).read_bytes()
