"""Reading videos: times, ranges, broken files, and pictures as a person sees them."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
from tiny_videos import FPS, HEIGHT, WIDTH, backdrop, growing_disc, write_sound, write_video

from editfoundry.data.video_pictures import picture
from editfoundry.data.videos import decoded_ahead, open_video
from editfoundry.errors import Rejection

CODECS = {
    "h264.mp4": ("libx264", "yuv420p"),
    "h264-10bit.mp4": ("libx264", "yuv420p10le"),
    "h264-444.mkv": ("libx264", "yuv444p"),
    "hevc.mp4": ("libx265", "yuv420p"),
    "mpeg4.avi": ("mpeg4", "yuv420p"),
    "mpeg2.mpg": ("mpeg2video", "yuv420p"),
    "vp9.webm": ("libvpx-vp9", "yuv420p"),
    "av1.mp4": ("libsvtav1", "yuv420p"),
    "mjpeg.mov": ("mjpeg", "yuvj420p"),
    "animated.gif": ("gif", "rgb8"),
}


def times_of(path, start=0.0, end=None):
    with open_video(path, num_threads=1) as video:
        return [timed.time for timed in video.frames(start, end)]


def frame_numbers(path, start, end):
    """Each frame of these videos has the brightness of its number."""
    with open_video(path, num_threads=1) as video:
        levels = [timed.frame.to_ndarray(format="gray").mean() for timed in video.frames(start, end)]
    return [round((level - 40) / 3) for level in levels]


@pytest.fixture(scope="module")
def numbered(tmp_path_factory):
    pictures = [np.full((HEIGHT, WIDTH, 3), 40 + 3 * n, np.uint8) for n in range(60)]
    folder = tmp_path_factory.mktemp("numbered")
    return write_video(folder / "numbered.mp4", pictures, options={"g": "25", "bf": "2", "crf": "1"})


def test_frames_that_none_depends_on_can_be_skipped(numbered):
    everything = times_of(numbered)
    with open_video(numbered, num_threads=1) as video:
        video.skip_unreferenced()
        some = list(video.frames())
        levels = [timed.frame.to_ndarray(format="gray").mean() for timed in some]
    assert len(everything) / 3 <= len(some) < 0.7 * len(everything)
    assert [everything[round((level - 40) / 3)] for level in levels] == [timed.time for timed in some]


def test_decoding_ahead_gives_the_same_frames_and_stops_when_closed(numbered):
    begun = []
    with open_video(numbered, num_threads=1) as video:
        ahead = decoded_ahead((begun.append(timed.time) or timed for timed in video.frames()), 4)
        first = [next(ahead).time for _ in range(3)]
        ahead.close()
        assert first == begun[:3] and len(begun) <= 3 + 4
    with open_video(numbered, num_threads=1) as video:
        assert [timed.time for timed in decoded_ahead(video.frames(), 4)] == times_of(numbered)


def test_what_breaks_while_decoding_ahead_is_raised_where_the_frame_is_due():
    def frames():
        yield 1
        raise Rejection("unreadable")

    ahead = decoded_ahead(frames(), 4)
    assert next(ahead) == 1
    with pytest.raises(Rejection, match="unreadable"):
        next(ahead)


@pytest.mark.parametrize("name", CODECS)
def test_no_codec_loses_more_than_a_few_frames_in_a_row(name, tmp_path):
    """A codec of whole pictures alone, whose frames depend on none, loses none."""
    codec, pix_fmt = CODECS[name]
    try:
        path = write_video(tmp_path / name, growing_disc(num_frames=60), codec, pix_fmt)
    except (av.error.FFmpegError, ValueError) as error:
        pytest.skip(f"no encoder: {error}")
    with open_video(path, num_threads=1) as video:
        video.skip_unreferenced()
        times = [timed.time for timed in video.frames()]
    assert max(np.diff(times)) < 4.5 / FPS and times[-1] > 2.8
    assert len(times) == 60 or codec not in ("mjpeg", "gif", "mpeg4", "mpeg2video")


@pytest.mark.parametrize("name", CODECS)
def test_every_codec_gives_all_frames_in_time_and_the_colours_that_went_in(name, tmp_path):
    codec, pix_fmt = CODECS[name]
    pictures = growing_disc(num_frames=12)
    try:
        path = write_video(tmp_path / name, pictures, codec, pix_fmt)
    except (av.error.FFmpegError, ValueError) as error:
        pytest.skip(f"no encoder: {error}")
    with open_video(path, num_threads=1) as video:
        frames = list(video.frames())
        seen = np.asarray(picture(frames[-1].frame, video.pixel_aspect))
        # A program stream's length is but a guess from its first and last packets.
        assert name.endswith(".mpg") or video.seconds == pytest.approx(12 / FPS, abs=0.11)
    assert len(frames) == 12
    assert np.allclose(np.diff([f.time for f in frames]), 1 / FPS, atol=0.011)
    assert seen.shape == (HEIGHT, WIDTH, 3) and seen.dtype == np.uint8
    # Motion JPEG at its usual quality, and 256 colours, are coarse.
    assert np.abs(seen.astype(int) - pictures[-1]).mean() < (20 if codec in ("mjpeg", "gif") else 12)


@pytest.mark.parametrize(("start", "end", "expected"), [
    (0.0, 0.5, range(0, 10)), (1.0, 1.5, range(20, 30)), (1.25, 1.3, range(25, 26)), (2.9, None, range(58, 60)),
    (0.3004, 0.3496, range(6, 7)), (5.0, None, range(0)),
])  # fmt: skip
def test_a_range_gives_exactly_its_frames_without_a_cut_at_key_frames(numbered, start, end, expected):
    assert frame_numbers(numbered, start, end) == list(expected)


def test_frames_of_varying_rate_keep_their_times(tmp_path):
    times = [0.0, 0.04, 0.3, 0.31, 0.9, 2.0, 2.05]
    path = write_video(tmp_path / "vfr.mkv", growing_disc(num_frames=len(times)), times=times)
    assert times_of(path) == pytest.approx(times, abs=2e-3)
    assert times_of(path, 0.3, 0.9) == pytest.approx([0.3, 0.31], abs=2e-3)


def test_a_stream_without_times_gets_them_from_its_frame_rate(tmp_path):
    path = write_video(tmp_path / "raw.h264", growing_disc(num_frames=10), options={"bf": "0"}, format="h264")
    times = times_of(path)
    assert len(times) == 10 and np.all(np.diff(times) > 0)


@pytest.mark.parametrize(("degrees", "turns"), [(90, 1), (180, 2), (270, 3)])
def test_a_video_filmed_sideways_is_turned_upright(degrees, turns, tmp_path):
    scene = backdrop(3)
    path = write_video(tmp_path / "turned.mp4", [scene] * 4, prepare=lambda s: s.set_display_rotation(degrees))
    with open_video(path, num_threads=1) as video:
        frame = next(iter(video.frames()))
        assert round(frame.frame.rotation) % 360 == degrees
        seen = np.asarray(picture(frame.frame))
    assert np.abs(seen.astype(int) - np.rot90(scene, turns)).mean() < 10


def test_oblong_pixels_become_square(tmp_path):
    def oblong(stream):
        stream.codec_context.sample_aspect_ratio = Fraction(2, 1)

    path = write_video(tmp_path / "oblong.mp4", [backdrop(1)] * 3, prepare=oblong)
    with open_video(path, num_threads=1) as video:
        assert picture(next(iter(video.frames())).frame, video.pixel_aspect).size == (2 * WIDTH, HEIGHT)


def test_interlaced_frames_lose_their_combing(tmp_path):
    scene = np.full((64, 96, 3), 90, np.uint8)
    scene[1::2] = 160  # The second field was filmed later.
    path = write_video(tmp_path / "interlaced.mpg", [scene] * 4, "mpeg2video", options={"flags": "+ildct+ilme"})
    with open_video(path, num_threads=1) as video:
        frame = next(iter(video.frames())).frame
        if not frame.interlaced_frame:
            pytest.skip("this encoder does not mark interlaced frames")
        seen = np.asarray(picture(frame)).astype(int)
    assert np.abs(np.diff(seen[8:-8, 40, 0])).max() < 20


@pytest.mark.parametrize("name", ["nothing.mp4", "empty.mp4", "text.mp4", "playlist.mp4", "header.mp4"])
def test_what_is_no_video_is_unreadable(name, tmp_path, numbered):
    contents = {
        "empty.mp4": b"",
        "text.mp4": b"Dear diary, I filmed nothing. " * 50,
        "header.mp4": numbered.read_bytes()[:48],
        "playlist.mp4": f"#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\n{numbered}\n#EXT-X-ENDLIST\n".encode(),
    }
    path = tmp_path / name
    if name in contents:
        path.write_bytes(contents[name])
    with pytest.raises(Rejection) as raised, open_video(path):
        pass
    assert raised.value.reason == "unreadable" and "\n" not in raised.value.detail


def test_a_file_with_sound_alone_has_no_video_stream(tmp_path):
    with pytest.raises(Rejection, match="no video stream"), open_video(write_sound(tmp_path / "song.m4a")):
        pass


def test_broken_bytes_in_the_middle_cost_only_the_frames_they_hold(tmp_path, numbered):
    path = write_video(tmp_path / "broken.ts", [backdrop(n) for n in range(60)], options={"g": "5"}, format="mpegts")
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 3000] = np.random.default_rng(0).bytes(3000)
    path.write_bytes(bytes(data))
    times = times_of(path)
    assert 30 < len(times) < 60 and times[-1] > 2.5 and np.all(np.diff(times) > 0)
