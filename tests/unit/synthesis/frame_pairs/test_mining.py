"""Which two frames are chosen, and why a clip has none."""

from __future__ import annotations

import gc
from dataclasses import replace

import av
import cv2
import numpy as np
import pytest
from tiny_videos import (
    FPS,
    HEIGHT,
    WIDTH,
    backdrop,
    blurred,
    disc,
    growing_disc,
    moving_camera,
    write_sound,
    write_video,
)

from editfoundry.data.videos import open_video
from editfoundry.errors import BadInputError, Rejection
from editfoundry.synthesis.frame_pairs.config import FramePairConfig
from editfoundry.synthesis.frame_pairs.looks import look_at
from editfoundry.synthesis.frame_pairs.mining import mine_clip
from editfoundry.synthesis.frame_pairs.motion import NO_MOTION, Motion, lost_structure, mixture
from editfoundry.synthesis.frame_pairs.shots import sampled, shots_of

CONFIG = FramePairConfig(decoding_threads=1)


def mine(path, start=0.0, end=None, config=CONFIG):
    return mine_clip(path, start, end, config, identity=None)


def reason_of(path, **arguments):
    with pytest.raises(Rejection) as raised:
        mine(path, **arguments)
    return raised.value.reason


def video(folder, pictures, **arguments):
    return write_video(folder / "video.mp4", pictures, **{"options": {"crf": "12"}, **arguments})


@pytest.mark.parametrize("analysis_fps", [5, 4], ids=["all frames decoded", "some frames skipped"])
def test_the_pair_is_the_rest_before_and_the_rest_after_in_full_resolution(analysis_fps, tmp_path):
    pictures = growing_disc(num_frames=90)
    pair = mine(video(tmp_path, pictures), config=replace(CONFIG, analysis_fps=analysis_fps))
    assert pair.first_time < 30.5 / FPS and pair.last_time > 58.5 / FPS
    for image, time in ((pair.first, pair.first_time), (pair.last, pair.last_time)):
        assert image.size == (WIDTH, HEIGHT)
        assert np.abs(np.asarray(image).astype(int) - pictures[round(time * FPS)]).mean() < 8
    disc_share = np.pi * (0.3**2 - 0.08**2) * HEIGHT**2 / (HEIGHT * WIDTH)
    assert pair.measures["change"] == pytest.approx(disc_share, rel=0.35)
    assert {"overlap", "spread", "sharpness", "relative_sharpness", "unrest", "seconds", "camera_way"} <= set(
        pair.measures
    )


def test_a_range_is_mined_alone(tmp_path):
    other = growing_disc(seed=5, num_frames=60)
    pair = mine(video(tmp_path, [*other, *growing_disc(num_frames=60)]), start=3.0, end=6.0)
    assert 3.0 <= pair.first_time < 4.1 and 4.9 < pair.last_time < 6.0


def test_a_moving_camera_does_not_hide_what_happens(tmp_path):
    grown = [disc(picture, 6 + 14 * np.clip(n / 20 - 1, 0, 1)) for n, picture in enumerate(moving_camera(2, way=16))]
    pair = mine(video(tmp_path, grown))
    assert pair.first_time < 1.2 and pair.last_time > 1.8
    assert pair.measures["camera_way"] > 0.08 and pair.measures["change"] < pair.measures["change_uncompensated"]


def test_a_still_scene_is_still(tmp_path):
    assert reason_of(video(tmp_path, [backdrop(1)] * 60)) == "still"


def test_a_moving_camera_before_a_still_scene_is_camera_only(tmp_path):
    assert reason_of(video(tmp_path, moving_camera(3))) == "camera only"


def test_still_scenes_with_cuts_between_are_cut(tmp_path):
    assert reason_of(video(tmp_path, [backdrop(n // 25) for n in range(75)])) == "cut"


def test_a_cross_fade_between_still_scenes_is_cut(tmp_path):
    weights = np.clip((np.arange(70) - 27) / 14, 0, 1)
    mixed = [cv2.addWeighted(backdrop(1), 1 - w, backdrop(2), w, 0) for w in weights]
    assert reason_of(video(tmp_path, mixed)) == "cut"


def transition(kind, seconds, first=1, second=3):
    """Two still scenes, the second coming over the first from the left, from above, from the middle, or everywhere."""
    one, other = backdrop(first), backdrop(second)
    for share in np.clip((np.arange(round((4 + seconds) * FPS)) - 2 * FPS) / (seconds * FPS), 0, 1):
        mask = np.zeros((HEIGHT, WIDTH, 1), np.float32)
        if kind == "dissolve":
            mask[:] = share
        elif kind == "iris":
            cv2.circle(mask, (WIDTH // 2, HEIGHT // 2), round(share * np.hypot(WIDTH, HEIGHT) / 2), 1.0, -1)
        elif kind == "wipe right":
            mask[:, : round(share * WIDTH)] = 1
        else:
            mask[: round(share * HEIGHT)] = 1
        yield (one * (1 - mask) + other * mask).astype(np.uint8)


@pytest.mark.parametrize(
    ("kind", "seconds"),
    [("dissolve", 0.7), ("dissolve", 1.3), ("dissolve", 1.6), ("dissolve", 2.0), ("wipe right", 1.0)]
    + [("wipe right", 2.0), ("wipe down", 1.3), ("wipe down", 1.6), ("iris", 1.3), ("iris", 2.0)]
    + [(kind, seconds) for kind in ("wipe right", "wipe down", "iris") for seconds in (0.5, 0.7)],
)
def test_a_slow_transition_between_still_scenes_is_cut(kind, seconds, tmp_path):
    assert reason_of(video(tmp_path, list(transition(kind, seconds)))) == "cut"


@pytest.mark.parametrize(("seconds", "first", "second"), [(0.7, 3, 1), (1.0, 7, 8), (1.6, 2, 4)])
def test_a_dissolve_under_a_moving_camera_is_cut(seconds, first, second, tmp_path):
    count, way = round((4.4 + seconds) * FPS), 24
    scenes = [backdrop(seed, WIDTH + way, HEIGHT) for seed in (first, second)]
    pictures = []
    for n, share in enumerate(np.clip((np.arange(count) / FPS - 2.2) / seconds, 0, 1)):
        one, other = (scene[:, (x := round(way * n / count)) : x + WIDTH] for scene in scenes)
        pictures.append(cv2.addWeighted(one, 1 - share, other, share, 0))
    assert reason_of(video(tmp_path, pictures)) == "cut"


def test_how_much_of_another_scene_is_in_a_frame_is_told_whatever_the_camera_does_meanwhile():
    def look(picture):
        return look_at(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24"), 0.0)

    one, other = (backdrop(seed, WIDTH + 40, HEIGHT) for seed in (1, 3))
    first, last = look(one[:, :WIDTH]), look(other[:, 40:])
    middle = look(cv2.addWeighted(one, 0.7, other, 0.3, 0)[:, 16 : 16 + WIDTH])
    # What lies at x in the middle frame lies 16 pixels to the right in the first one and 24 to the left in the last.
    scale = middle.luma.shape[1] / WIDTH
    to_first, to_last = (Motion(np.array([[1.0, 0, x * scale], [0, 1, 0], [0, 0, 1]]), 0.0) for x in (16, -24))
    share, residue = mixture(first, middle, last, to_first, to_last)
    assert share == pytest.approx(0.3, abs=0.03) and residue < 0.1
    assert mixture(first, middle, last)[1] > 2 * residue


def test_a_pair_never_crosses_a_wipe(tmp_path):
    seconds = 1.6
    pictures = list(transition("wipe right", seconds))
    end = round((2 + seconds) * FPS)
    grown = [disc(p, 5 + 10 * np.clip((n - end - 12) / 10, 0, 1)) if n >= end else p for n, p in enumerate(pictures)]
    grown += [grown[-1]] * FPS
    pair = mine(video(tmp_path, grown))
    assert pair.first_time >= 2 + seconds - 0.1


def wiped(kind, seconds, first, second):
    """An action in each of two scenes, and a transition between from 2 s on."""
    for n, picture in enumerate(transition(kind, seconds, first, second)):
        yield disc(picture, 4 + 8 * np.clip((n % round((2 + seconds) * FPS) - 8) / 12, 0, 1))


@pytest.mark.parametrize("seconds", [0.5, 0.7, 1.0])
@pytest.mark.parametrize("kind", ["wipe right", "wipe down", "iris"])
def test_a_pair_beside_a_quick_wipe_shows_one_scene_alone(kind, seconds, tmp_path):
    for first, second in ((1, 3), (2, 4)):
        pair = mine(video(tmp_path, list(wiped(kind, seconds, first, second))))
        assert pair.last_time < 2 + 0.1 * seconds or pair.first_time > 2 + 0.9 * seconds


@pytest.mark.parametrize("seconds", [0.7, 1.0, 1.5, 2.0])
def test_a_pair_shows_no_scene_that_another_pushes_out(seconds, tmp_path):
    both = np.concatenate([backdrop(1), backdrop(3)], axis=1)
    shares = np.clip((np.arange(round((4 + seconds) * FPS)) - 2 * FPS) / (seconds * FPS), 0, 1)
    pushed = [both[:, (x := round(share * WIDTH)) : x + WIDTH] for share in shares]
    assert reason_of(video(tmp_path, pushed)) in ("cut", "camera only")
    before = [disc(p, 4 + 8 * np.clip(n / 12 - 1, 0, 1)) if n < 2 * FPS else p for n, p in enumerate(pushed)]
    assert mine(video(tmp_path, before)).last_time < 2.1


def test_patterns_are_found_again_in_another_light_and_beside_what_grows_but_not_in_another_scene():
    def look(picture):
        return look_at(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24"), 0.0)

    scene = look(backdrop(1))
    dark = backdrop(1) * (0.4, 0.4, 0.7)
    for other in (dark.astype(np.uint8), disc(backdrop(1), 15), np.roll(backdrop(1), 2, axis=1)):
        assert lost_structure(scene, look(other), NO_MOTION) < 0.6
    assert lost_structure(scene, look(backdrop(3)), NO_MOTION) > 0.85


def test_a_fade_from_black_and_back_is_still(tmp_path):
    brightness = np.clip(np.minimum(np.arange(70), 69 - np.arange(70)) / 10, 0, 1)
    assert reason_of(video(tmp_path, [(backdrop(4) * b).astype(np.uint8) for b in brightness])) == "still"


def test_what_happens_out_of_focus_is_blur(tmp_path):
    assert reason_of(video(tmp_path, blurred(growing_disc(num_frames=60)))) == "blur"


def test_frames_out_of_focus_are_passed_over(tmp_path):
    pictures = growing_disc(num_frames=90)
    pictures[70:] = blurred(pictures[70:])
    pair = mine(video(tmp_path, pictures))
    assert 58.5 / FPS < pair.last_time < 70 / FPS


def test_a_pair_never_crosses_a_cut(tmp_path):
    pictures = [*growing_disc(1, 45), *[backdrop(8)] * 30, *growing_disc(9, 75)]
    pair = mine(video(tmp_path, pictures))
    cuts = (45 / FPS, 75 / FPS)
    assert all((pair.first_time < cut) == (pair.last_time < cut) for cut in cuts)
    assert pair.first_time >= 75 / FPS or pair.last_time < 45 / FPS


def test_one_of_two_actions_is_shown_and_not_both(tmp_path):
    scene = backdrop(2)
    first = [disc(scene, 5 + 6 * np.clip((n - 15) / 15, 0, 1)) for n in range(130)]
    both = [
        cv2.circle(p.copy(), (12, 12), round(1 + 11 * np.clip((n - 80) / 15, 0, 1)), (20, 250, 250), -1)
        for n, p in enumerate(first)
    ]
    path = video(tmp_path, both)
    pair = mine(path)
    assert pair.last_time < 4.2 or pair.first_time > 1.4
    whole = mine(path, config=FramePairConfig(decoding_threads=1, rest_seconds=0))
    assert whole.first_time < 0.9 and whole.last_time > 4.6


def test_a_black_video_is_blank_and_a_glimpse_too_short(tmp_path):
    assert reason_of(video(tmp_path, [np.zeros((HEIGHT, WIDTH, 3), np.uint8)] * 20)) == "blank"
    assert reason_of(video(tmp_path, growing_disc(num_frames=6))) == "too short"


@pytest.mark.parametrize("size", [(97, 61), (34, 18), (400, 30)])
def test_odd_sizes_are_kept_as_they_are(size, tmp_path):
    pictures = growing_disc(num_frames=60, width=size[0], height=size[1])
    pair = mine(write_video(tmp_path / "odd.mkv", pictures, "ffv1", "yuv444p"))
    assert pair.first.size == pair.last.size == size


def test_pairs_are_scaled_down_where_the_configuration_says_so(tmp_path):
    path = video(tmp_path, growing_disc(num_frames=60))
    assert mine(path, config=FramePairConfig(decoding_threads=1, max_image_side=48)).first.size == (48, 32)


@pytest.mark.parametrize(("damage", "reason"), [
    ("half", "truncated"), ("nothing", "unreadable"), ("header", "unreadable"), ("text", "unreadable"),
    ("sound", "no video stream"),
])  # fmt: skip
def test_every_broken_file_is_rejected_by_reason(damage, reason, tmp_path):
    path = video(
        tmp_path,
        [backdrop(n // 3) for n in range(90)],
        options={"crf": "12", "g": "10"},
        container_options={"movflags": "faststart"},
    )
    data = path.read_bytes()
    contents = {"half": data[: len(data) // 2], "nothing": b"", "header": data[:40], "text": b"no video " * 400}
    if damage == "sound":
        path = write_sound(tmp_path / "sound.m4a")
    else:
        path.write_bytes(contents[damage])
    assert reason_of(path) == reason


def test_memory_does_not_grow_with_length(tmp_path):
    """Of a shot ten times as long no more frames are held, and they are spread over all of it."""
    config = FramePairConfig(decoding_threads=1, max_held_frames=6)
    for seconds in (4, 40):
        path = video(tmp_path, growing_disc(num_frames=seconds * FPS), options={"crf": "30"})
        with open_video(path, 1) as opened:
            (shot,) = shots_of(sampled(opened.frames(), config.analysis_fps), config)
            times = [held.time for held in shot.held]
            assert len(times) <= 6 and times[0] < seconds / 4 and times[-1] > 3 * seconds / 4
            del shot
    gc.collect()


@pytest.mark.parametrize(("change", "message"), [
    ({"min_change": 2.0}, "min_change is 2.0; it must be from 0 to 1"), ({"analysis_fps": 0.0}, "analysis_fps is 0.0"),
    ({"max_held_frames": 2}, "max_held_frames is 2"), ({"scene_spread": -1.0}, "scene_spread is -1.0"),
    ({"min_change": 0.5, "max_change": 0.4}, "min_change is 0.5; it must be at most max_change, 0.4"),
    ({"min_dino_similarity": 2.0}, "min_dino_similarity is 2.0"), ({"rest_seconds": -1.0}, "rest_seconds is -1.0"),
    ({"max_image_side": 0}, "max_image_side is 0"), ({"decoding_threads": -1}, "decoding_threads is -1"),
])  # fmt: skip
def test_impossible_parameters_are_refused_by_name(change, message):
    with pytest.raises(BadInputError, match=message):
        FramePairConfig(**change)
