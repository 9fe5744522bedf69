import numpy as np
import pytest
from PIL import Image

from editfoundry.curation.perceptual_hash import are_near, hash_bands, look_alike, perceptual_hash, thumbnail


def with_bits_flipped(value: int, bits: list[int]) -> int:
    for bit in bits:
        value ^= 1 << bit
    return value


def test_hashes_are_near_up_to_three_bits_and_then_share_a_band() -> None:
    value = 0x0123_4567_89AB_CDEF
    # One bit in each of three bands: the fourth is what two near hashes still agree in.
    for bits in ([], [0], [63, 17], [3, 20, 40], [20, 40, 60]):
        other = with_bits_flipped(value, bits)
        assert are_near(value, other)
        assert set(hash_bands(value)) & set(hash_bands(other))
    assert not are_near(value, with_bits_flipped(value, [3, 20, 40, 60]))


def test_the_bands_of_a_hash_are_its_four_times_sixteen_bits() -> None:
    assert hash_bands(0x0123_4567_89AB_CDEF) == [(0, 0xCDEF), (1, 0x89AB), (2, 0x4567), (3, 0x0123)]


def test_a_hash_has_64_bits_and_hardly_depends_on_the_size_of_a_picture() -> None:
    blocks = np.random.default_rng(0).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    picture = Image.fromarray(blocks).resize((64, 64))
    assert 2**48 < perceptual_hash(picture) < 2**64
    assert are_near(perceptual_hash(picture), perceptual_hash(picture.resize((96, 96))))


@pytest.mark.parametrize(("difference", "alike"), [(0, True), (2, True), (3, False)])
def test_thumbnails_that_differ_by_two_steps_of_255_on_average_look_alike(difference: int, alike: bool) -> None:
    first, second = (thumbnail(Image.new("RGB", (64, 48), (100 + d,) * 3)) for d in (0, difference))
    assert first.shape == (32, 32, 3)
    assert look_alike(first, second) is look_alike(second, first) is alike
