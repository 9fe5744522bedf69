"""Masks of every kind that people bring are read alike, or refused in one line."""

import re

import numpy as np
import pytest
from PIL import Image, ImageFilter, ImageOps
from tiny_models import tiny_image

from editfoundry.editors.masks import box_mask, open_mask, seems_inverted
from editfoundry.errors import BadInputError

SIZE = (40, 30)
PICTURE = Image.new("RGB", SIZE)
BOX = (10, 5, 30, 20)


def plain():
    return box_mask("10,5,30,20", PICTURE)


def stroke_on_nothing():
    layer = Image.new("RGBA", SIZE, (0, 0, 0, 0))
    layer.paste((255, 255, 255, 255), BOX)
    return layer


def transparent_white():
    layer = Image.new("RGBA", SIZE, (255, 255, 255, 0))
    layer.paste((255, 255, 255, 255), BOX)
    return layer


ALIKE = {
    "grey": plain,
    "1-bit": lambda: plain().convert("1"),
    "palette": lambda: plain().convert("P"),
    "colour": lambda: plain().convert("RGB"),
    "16-bit": lambda: Image.fromarray(np.asarray(plain()).astype(np.uint16) * 257),
    "grey with alpha": lambda: plain().convert("LA"),
    "opaque RGBA": lambda: plain().convert("RGBA"),
    "stroke on nothing": stroke_on_nothing,
    "transparent white": transparent_white,
}


@pytest.mark.parametrize("kind", ALIKE)
def test_a_mask_is_the_same_in_every_kind_of_file(kind, tmp_path):
    ALIKE[kind]().save(tmp_path / "mask.png")
    assert open_mask(tmp_path / "mask.png", PICTURE).tobytes() == plain().tobytes()


def test_soft_edges_stay_full_masks_are_masks_and_inverted_ones_are_turned_round(tmp_path):
    soft = plain().filter(ImageFilter.GaussianBlur(2))
    for name, mask in (("soft", soft), ("full", Image.new("L", SIZE, 255)), ("inverted", ImageOps.invert(plain()))):
        mask.save(tmp_path / f"{name}.png")
    levels, read = np.asarray(soft), np.asarray(open_mask(tmp_path / "soft.png", PICTURE))
    is_soft = (levels > 32) & (levels < 223)
    assert is_soft.sum() > 100 and (read[is_soft] == levels[is_soft]).all()
    assert open_mask(tmp_path / "full.png", PICTURE).getextrema() == (255, 255)
    assert open_mask(tmp_path / "inverted.png", PICTURE, is_inverted=True).tobytes() == plain().tobytes()
    assert seems_inverted(ImageOps.invert(plain()))
    assert not seems_inverted(plain()) and not seems_inverted(Image.new("L", SIZE, 255))


def test_what_is_nearly_black_or_white_as_jpeg_leaves_it_is_so(tmp_path):
    noise = np.random.default_rng(0).integers(0, 33, (30, 40))
    levels = np.where(np.asarray(plain()) > 0, 255 - noise, noise).astype(np.uint8)
    Image.fromarray(levels).save(tmp_path / "noisy.png")
    assert open_mask(tmp_path / "noisy.png", PICTURE).tobytes() == plain().tobytes()
    plain().save(tmp_path / "mask.jpg", quality=60)
    assert open_mask(tmp_path / "mask.jpg", PICTURE).getpixel((0, 0)) == 0


REFUSED = {
    "empty": (Image.new("L", SIZE), "mask.png: the mask is empty: make it white where to edit"),
    "dark": (Image.new("L", SIZE, 20), "mask.png: the mask is empty"),
    "other size": (Image.new("L", (30, 40), 255), "mask.png: the mask is 30x40, but the picture is 40x30"),
    "a picture": (Image.linear_gradient("L").resize(SIZE), "mask.png: no mask: 7.% of it is grey"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_mask_of_the_picture_is_refused_in_one_line(kind, tmp_path):
    mask, message = REFUSED[kind]
    mask.save(tmp_path / "mask.png")
    with pytest.raises(BadInputError, match=message) as refusal:
        open_mask(tmp_path / "mask.png", PICTURE)
    assert "\n" not in str(refusal.value)


def test_a_box_is_white_within_its_bounds_and_must_lie_in_the_picture():
    assert plain().getbbox() == BOX and np.asarray(plain())[5:20, 10:30].min() == 255
    for text in ("1,2,3", "a,b,c,d", "10,5,10,20", "0,0,41,30", "-1,0,4,4"):
        with pytest.raises(BadInputError, match=re.escape(text)):
            box_mask(text, PICTURE)


def test_a_cut_file_is_refused(tmp_path):
    tiny_image(0, (200, 200)).save(tmp_path / "whole.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:3000])
    with pytest.raises(BadInputError, match="cut.png: truncated"):
        open_mask(tmp_path / "cut.png", PICTURE)
