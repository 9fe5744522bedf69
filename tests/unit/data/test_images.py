from __future__ import annotations

import os
import struct
import time
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import sklearn.datasets
from PIL import Image, ImageCms

from editfoundry.data.images import MAX_IMAGE_PIXELS, open_image, open_with_transparency
from editfoundry.errors import BadInputError

SKIMAGE_FILES = Path(skimage.data.__file__).parent
SKLEARN_FILES = Path(sklearn.datasets.__file__).parent / "images"
PHOTOS = sorted(
    [
        *SKIMAGE_FILES.glob("*.png"),
        *SKIMAGE_FILES.glob("*.jpg"),
        *SKIMAGE_FILES.glob("*.gif"),
        *SKLEARN_FILES.glob("*.jpg"),
    ]
)


def encoded(image: Image.Image, format: str, **options: object) -> bytes:
    buffer = BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def noise(height: int = 48, width: int = 64) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def png(width: int, height: int, bit_depth: int, colour_type: int, scanlines: bytes) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, bit_depth, colour_type, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(scanlines)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize("path", PHOTOS, ids=lambda path: path.name)
def test_every_photo_that_scientific_packages_ship_opens_as_rgb_at_its_own_size(path: Path) -> None:
    image = open_image(path)
    with Image.open(path) as original:
        assert image.size == original.size
    assert image.mode == "RGB"
    assert np.asarray(image).std() > 1


def test_a_photo_has_the_pixels_that_scikit_learn_reads() -> None:
    expected = sklearn.datasets.load_sample_images()
    for path, pixels in zip(expected.filenames, expected.images, strict=True):
        assert np.array_equal(np.asarray(open_image(SKLEARN_FILES / Path(path).name)), pixels)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize(("orientation", "counter_clockwise_turns"), [(1, 0), (3, 2), (6, 1), (8, 3)])
def test_exif_orientation_is_applied(format: str, orientation: int, counter_clockwise_turns: int) -> None:
    upright = np.zeros((32, 48, 3), dtype=np.uint8)
    upright[:8, :8] = 255  # white in the top left corner only
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.rot90(upright, counter_clockwise_turns))
    pixels = np.asarray(open_image(encoded(stored, format, exif=exif)))
    assert pixels.shape == upright.shape
    assert np.abs(pixels.astype(int) - upright).mean() < 4


def test_orientation_is_applied_once_only() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    image = open_image(encoded(Image.fromarray(noise(20, 40)), "JPEG", exif=exif))
    assert image.size == (20, 40)
    assert 0x0112 not in image.getexif()
    assert open_image(encoded(image, "JPEG")).size == (20, 40)


def test_damaged_exif_does_not_spoil_the_photo() -> None:
    data = encoded(Image.fromarray(noise()), "JPEG", exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xff" + b"\x01" * 40)
    assert open_image(data).size == (64, 48)


def test_transparency_is_laid_on_white() -> None:
    rgba = np.zeros((2, 2, 4), dtype=np.uint8)
    rgba[..., 0] = 200
    rgba[0, 0, 3], rgba[0, 1, 3] = 255, 128
    pixels = np.asarray(open_image(encoded(Image.fromarray(rgba), "PNG")))
    assert pixels[0, 0].tolist() == [200, 0, 0]
    assert np.abs(pixels[0, 1].astype(int) - [227, 127, 127]).max() <= 1
    assert pixels[1, 1].tolist() == [255, 255, 255]


def test_transparency_is_kept_where_it_is_asked_for() -> None:
    rgba = noise().reshape(-1)[: 20 * 20 * 4].reshape(20, 20, 4).copy()
    assert np.array_equal(np.asarray(open_with_transparency(encoded(Image.fromarray(rgba), "PNG"))), rgba)
    plain = np.asarray(open_with_transparency(encoded(Image.fromarray(rgba[..., :3]), "PNG")))
    assert np.array_equal(plain[..., :3], rgba[..., :3]) and (plain[..., 3] == 255).all()
    deep = np.full((4, 4), 2**16 - 1, dtype=np.uint16)
    assert np.asarray(open_with_transparency(encoded(Image.fromarray(deep), "PNG"))).min() == 255


def test_palette_and_grey_transparency_is_laid_on_white() -> None:
    palette = Image.new("P", (4, 4), 1)
    palette.putpalette([0, 0, 0, 10, 20, 30])
    palette.putpixel((0, 0), 0)
    for format in ("PNG", "GIF"):
        pixels = np.asarray(open_image(encoded(palette, format, transparency=0)))
        assert pixels[0, 0].tolist() == [255, 255, 255]
        assert pixels[1, 1].tolist() == [10, 20, 30]
    grey = Image.new("L", (4, 4), 7)
    grey.putpixel((0, 0), 0)
    assert np.asarray(open_image(encoded(grey, "PNG", transparency=0)))[0, 0].tolist() == [255, 255, 255]


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_16_bit_grey_is_scaled_and_not_clipped(format: str) -> None:
    samples = np.linspace(0, 65535, 64 * 64).astype(np.uint16).reshape(64, 64)
    pixels = np.asarray(open_image(encoded(Image.fromarray(samples), format)))
    assert np.abs(pixels[..., 1] - samples / 257).max() <= 0.5


def test_16_bit_colour_is_scaled_and_not_clipped() -> None:
    samples = np.array([[[0, 32768, 65535], [300, 1000, 40000]]], dtype=">u2")
    data = png(2, 1, 16, 2, b"\x00" + samples.tobytes())
    assert np.abs(np.asarray(open_image(data)) - samples.astype(float) / 257).max() <= 1


@pytest.mark.parametrize(("samples", "white"), [(np.float32, 1.0), (np.float32, 255.0), (np.int32, 65535)])
def test_deep_tiff_samples_are_scaled_to_their_white(samples: type, white: float) -> None:
    ramp = np.linspace(0, white, 256).astype(samples).reshape(16, 16)
    pixels = np.asarray(open_image(encoded(Image.fromarray(ramp), "TIFF")))
    assert np.abs(pixels[..., 0] - ramp / white * 255).max() <= 0.51


def test_a_cmyk_jpeg_keeps_its_colours() -> None:
    for colour in [(255, 0, 0), (20, 160, 60), (250, 250, 250)]:
        cmyk = Image.new("RGB", (16, 16), colour).convert("CMYK")
        pixels = np.asarray(open_image(encoded(cmyk, "JPEG", quality=95)))
        assert np.abs(pixels.astype(int) - colour).max() <= 6


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_every_png_mode_opens(mode: str) -> None:
    image = open_image(encoded(Image.fromarray(noise()).convert(mode), "PNG"))
    assert (image.mode, image.size) == ("RGB", (64, 48))


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "TIFF"])
def test_of_several_frames_the_first_is_taken(format: str) -> None:
    red, blue = (Image.new("RGB", (8, 8), colour) for colour in ("red", "blue"))
    options = {"lossless": True} if format == "WEBP" else {}
    data = encoded(red, format, save_all=True, append_images=[blue], **options)
    assert np.asarray(open_image(data))[3, 3].tolist() == [255, 0, 0]


@pytest.mark.parametrize("format", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP"])
def test_one_pixel_is_enough(format: str) -> None:
    assert open_image(encoded(Image.new("RGB", (1, 1), "white"), format)).getpixel((0, 0)) == (255, 255, 255)


def test_64_megapixels_are_read() -> None:
    scanlines = bytes(8000 * (1 + 1000))
    image = open_image(png(8000, 8000, 1, 0, scanlines))
    assert image.width * image.height == MAX_IMAGE_PIXELS


@pytest.mark.parametrize(
    ("width", "height"), [(8001, 8000), (10_000, 10_000), (60_000, 60_000), (2**31 - 1, 2**31 - 1)]
)
def test_a_larger_image_is_refused_before_its_pixels_are_decoded(width: int, height: int) -> None:
    with pytest.raises(BadInputError, match=r"huge\.png: .*64 megapixels"):
        open_image(png(width, height, 8, 2, b"no pixels at all"), "huge.png")
    with pytest.raises(BadInputError, match=r"huge\.png: .*64 megapixels"):
        open_with_transparency(png(width, height, 8, 6, b"no pixels at all"), "huge.png")


@pytest.mark.parametrize("format", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP"])
@pytest.mark.parametrize("kept", [0.0, 0.01, 0.3, 0.7, 0.98])
def test_a_truncated_file_is_refused_by_name(format: str, kept: float, tmp_path: Path) -> None:
    data = encoded(Image.fromarray(noise()), format)
    path = tmp_path / "holiday.img"
    path.write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(BadInputError, match=r"holiday\.img: ") as caught:
        open_image(path)
    assert "\n" not in str(caught.value)


def test_a_truncated_progressive_jpeg_is_refused() -> None:
    data = encoded(Image.fromarray(noise()), "JPEG", progressive=True)
    with pytest.raises(BadInputError, match="truncated"):
        open_image(data[:-10], "scan.jpg")


def test_formats_outside_the_list_are_refused_even_with_an_innocent_name(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    for format in ("PPM", "ICO", "PDF", "EPS"):
        path.write_bytes(encoded(Image.new("RGB", (16, 16)), format))
        with pytest.raises(BadInputError, match=r"photo\.jpg: .*JPEG, PNG"):
            open_image(path)


def test_a_missing_file_or_a_folder_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="nowhere.png: no such image file"):
        open_image(tmp_path / "nowhere.png")
    with pytest.raises(BadInputError, match="is no image file"):
        open_image(tmp_path)


def swapping_profile() -> bytes:
    """sRGB's profile with the primaries of red and blue exchanged."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return profile.replace(b"rXYZ", b"\0tmp").replace(b"bXYZ", b"rXYZ").replace(b"\0tmp", b"bXYZ")


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
@pytest.mark.parametrize(
    ("format", "options"),
    [("PNG", {}), ("JPEG", {"quality": 100, "subsampling": 0}), ("WEBP", {"lossless": True}), ("TIFF", {})],
)
def test_a_profile_that_swaps_red_and_blue_is_applied(format: str, options: dict[str, object], mode: str) -> None:
    if (format, mode) in (("JPEG", "RGBA"), ("JPEG", "P"), ("WEBP", "P")):
        pytest.skip("no such file")
    pixels = np.full((16, 16, 3), (200, 90, 20), np.uint8)
    picture = Image.fromarray(pixels)
    picture = picture.quantize(2) if mode == "P" else picture.convert(mode)
    found = np.asarray(open_image(encoded(picture, format, icc_profile=swapping_profile(), **options)))
    assert np.abs(found.astype(int) - (20, 90, 200)).max() <= 3
    plain = np.asarray(open_image(encoded(picture, format, **options)))
    assert np.abs(plain.astype(int) - (200, 90, 20)).max() <= 3


def test_wider_colours_become_those_that_little_cms_gives() -> None:
    wide = ImageCms.createProfile("sRGB")
    profile = bytearray(ImageCms.ImageCmsProfile(wide).tobytes())
    # Adobe RGB's green primary in D50: x 0.20528, y 0.62567, z 0.06087, as s15Fixed16 numbers.
    place = profile.index(b"gXYZ")
    offset = struct.unpack(">I", profile[place + 4 : place + 8])[0] + 8
    profile[offset : offset + 12] = struct.pack(">3i", *(round(v * 65536) for v in (0.20528, 0.62567, 0.06087)))
    picture = Image.fromarray(noise() // 2 + 40)
    expected = ImageCms.profileToProfile(
        picture, ImageCms.ImageCmsProfile(BytesIO(bytes(profile))), ImageCms.createProfile("sRGB")
    )
    found = open_image(encoded(picture, "PNG", icc_profile=bytes(profile)))
    assert np.array_equal(np.asarray(found), np.asarray(expected))
    assert np.abs(np.asarray(found).astype(int) - np.asarray(picture)).max() > 5


def test_a_picture_in_srgb_keeps_every_pixel() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    found = open_image(encoded(Image.fromarray(noise()), "PNG", icc_profile=profile))
    assert np.array_equal(np.asarray(found), noise())
    assert "icc_profile" not in found.info


@pytest.mark.parametrize("profile", [b"junk", b"\0" * 200, swapping_profile()[:300]])
def test_a_damaged_profile_or_one_for_another_kind_of_picture_is_passed_over(profile: bytes) -> None:
    for mode in ("RGB", "L", "LA"):
        picture = Image.fromarray(noise()).convert(mode)
        found = open_image(encoded(picture, "PNG", icc_profile=profile))
        assert np.array_equal(np.asarray(found), np.asarray(picture.convert("RGB")))
    cmyk = Image.fromarray(noise()).convert("CMYK")
    plain = np.asarray(open_image(encoded(cmyk, "TIFF")))
    assert np.array_equal(np.asarray(open_image(encoded(cmyk, "TIFF", icc_profile=swapping_profile()))), plain)


def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    for path in (tmp_path / "pipe.png", Path("/dev/zero"), tmp_path):
        with pytest.raises(BadInputError, match="is no image file"):
            open_image(path)


def test_a_jpeg_of_thousands_of_scans_is_refused_before_it_is_decoded() -> None:
    data = encoded(Image.fromarray(noise(512, 512)), "JPEG", progressive=True, quality=30)
    assert open_image(data).size == (512, 512)
    start = data.rindex(b"\xff\xda")
    many = data[:start] + data[start:-2] * 3000 + data[-2:]
    started = time.perf_counter()
    with pytest.raises(BadInputError, match="a JPEG of 30.. scans takes too long"):
        open_image(many)
    assert time.perf_counter() - started < 5
