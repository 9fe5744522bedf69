"""Tinyworld's clips: every rule, every kind of distractor, exact truth, equal bytes."""

from __future__ import annotations

from io import BytesIO

import av
import numpy as np
import pyarrow.parquet as pq
import pytest

from editfoundry.data.hashing import file_hash
from editfoundry.data.videos import open_video
from editfoundry.errors import BadInputError
from editfoundry.sources.internvid_columns import parse_clip_row
from editfoundry.tinyworld.clips import writing
from editfoundry.tinyworld.clips.clip_kinds import KINDS, NUM_GOOD_KINDS, sample_clip
from editfoundry.tinyworld.clips.film import film
from editfoundry.tinyworld.clips.reel import plan_reels
from editfoundry.tinyworld.clips.storylines import VIDEO_CATEGORIES, video_rules
from editfoundry.tinyworld.clips.truth import read_truths, reel_truths
from editfoundry.tinyworld.clips.writing import write_clips
from editfoundry.tinyworld.scene_sampling import is_held_out, random_stream

SIZE = 32


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    write_clips(folder, num_clips=5, seed=3, size=SIZE)
    return folder


def actions(num_clips):
    return [a for reel in plan_reels(num_clips, 0, "train") for t in reel_truths(reel) for a in t.actions]


def test_two_rounds_of_rules_show_every_rule_of_the_video_categories():
    num_clips = len(KINDS) * (2 * len(video_rules()) // NUM_GOOD_KINDS + 1)
    shown = {action.rule for action in actions(num_clips)}
    assert shown == {rule.name for rule in video_rules()}
    assert {rule.category for rule in video_rules()} == set(VIDEO_CATEGORIES)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_lasts_two_to_eight_seconds_in_the_scenes_of_its_split(kind):
    for number in range(3):
        plan = sample_clip(random_stream("kind", kind, number), kind, video_rules()[number], "test")
        assert 2 <= plan.seconds <= 8
        assert all(is_held_out(take.scene) for take in plan.takes)
        assert [take.start for take in plan.takes[1:]] == [take.end for take in plan.takes[:-1]]
        assert bool(plan.takes[0].actions or plan.takes[-1].actions) == (not KINDS[kind] or kind == "blurred action")


def test_frames_in_the_windows_of_an_action_show_its_beginning_and_its_end():
    plan = sample_clip(random_stream("windows"), "action", video_rules()[0], "train")
    (action,) = plan.takes[0].actions
    pictures = list(film(plan, SIZE, 20, random_stream("noise")))
    times = np.arange(len(pictures)) / 20
    distance = [np.abs(p.astype(int) - pictures[0]).mean() for p in pictures]
    before, after = times < action.start, times >= action.end
    assert max(np.array(distance)[before]) < 2.5 < min(np.array(distance)[after])
    start, end = action.start + action.margin, action.end - action.margin
    assert action.progress(start) < 0.1 and action.progress(end) > 0.9


def test_the_table_names_ranges_of_its_videos_to_the_millisecond(world):
    truths = read_truths(world / "truth.jsonl")
    rows = [parse_clip_row(row) for row in pq.read_table(world / "clips.parquet").to_pylist()]
    assert len(rows) == len(truths) == 5
    for row, truth in zip(rows, truths, strict=True):
        assert row.video_id == truth.video_id
        assert (row.start, row.end) == pytest.approx((truth.start, truth.end), abs=6e-4)
        with open_video(world / "videos" / f"{row.video_id}.mp4", 1) as video:
            times = [timed.time for timed in video.frames(row.start, row.end)]
            assert video.codec == "h264"
            assert len(times) == round((truth.end - truth.start) * video.frame_rate)


def test_the_same_parameters_give_the_same_bytes_and_another_seed_others(world, tmp_path):
    write_clips(tmp_path / "again", num_clips=5, seed=3, size=SIZE, num_processes=2)
    names = sorted(path.relative_to(world).as_posix() for path in world.rglob("*") if path.is_file())
    assert [file_hash(tmp_path / "again" / name) for name in names] == [file_hash(world / name) for name in names]
    write_clips(tmp_path / "other", num_clips=1, seed=4, size=SIZE)
    assert not {p.name for p in (tmp_path / "other" / "videos").iterdir()} & {
        p.name for p in (world / "videos").iterdir()
    }


@pytest.mark.parametrize("size", [32, 80])
def test_a_video_s_bytes_do_not_depend_on_what_lay_in_memory_before(size, monkeypatch):
    random, lying_about = np.random.default_rng(0), []
    picture = random.integers(0, 256, (size, size, 3), dtype=np.uint8)

    def pictures(*_):
        for number in range(60):
            lying_about.append(np.full(random.integers(100, 200_000), random.integers(256), np.uint8))
            del lying_about[: -random.integers(1, 20)]
            yield np.roll(picture, number // 3, 1)

    monkeypatch.setattr(writing, "_pictures", pictures)
    (reel,) = plan_reels(1, 0, "train")
    written = set()
    for _ in range(60):
        file = BytesIO()
        writing._encode(file, reel, size)
        written.add(file.getvalue())
    assert len(written) == 1


def test_what_is_there_in_full_is_kept(world):
    before = {path: path.stat().st_mtime_ns for path in (world / "videos").iterdir()}
    write_clips(world, num_clips=5, seed=3, size=SIZE)
    assert {path: path.stat().st_mtime_ns for path in (world / "videos").iterdir()} == before


def test_action_of_asks_for_both_windows():
    (truth,) = [t for t in reel_truths(next(iter(plan_reels(1, 0, "train"))))]
    (action,) = truth.actions
    start, end = np.mean(action.start_window), np.mean(action.end_window)
    assert truth.action_of(start, end) == action
    assert truth.action_of(start, start) is None and truth.action_of(end, end) is None


@pytest.mark.parametrize("arguments", [{"num_clips": 0}, {"num_clips": 1, "size": 33}, {"num_clips": 1, "size": 8}])
def test_impossible_sizes_are_refused(arguments, tmp_path):
    with pytest.raises(BadInputError, match="even size of 32 or more"):
        write_clips(tmp_path, **arguments)


def test_the_videos_need_no_reordering_tricks_to_play(world):
    path = next((world / "videos").iterdir())
    with av.open(str(path)) as container:
        assert container.streams.video[0].pix_fmt == "yuv420p" and not container.streams.audio
