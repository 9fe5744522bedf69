from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_models import IMAGE_SIZE, tiny_image, tiny_triplets, write_dataset

from editfoundry.data.record import Triplet
from editfoundry.data.shards import write_triplets
from editfoundry.editors.triplet_training.aspect_ratios import training_sizes
from editfoundry.editors.triplet_training.content_hashes import dataset_hash
from editfoundry.editors.triplet_training.triplet_pixels import CENTRED, TripletPixels
from editfoundry.errors import BadInputError


def test_pairs_come_in_the_shards_order_in_minus_one_to_one(tmp_path: Path) -> None:
    pixels = TripletPixels(write_dataset(tmp_path), IMAGE_SIZE)
    triplets = list(tiny_triplets(8))
    assert len(pixels) == 8
    assert pixels.instructions() == [t.instruction for t in triplets]
    for number in (0, 4, 5, 7):
        for role, image in enumerate((triplets[number].input_image, triplets[number].output_image)):
            expected = torch.from_numpy(np.asarray(image).astype(np.float32) / 127.5 - 1).permute(2, 0, 1)
            torch.testing.assert_close(pixels[number][role], expected)


def test_a_flip_mirrors_both_images_of_a_pair(tmp_path: Path) -> None:
    dataset = write_dataset(tmp_path)
    plain, mirrored = TripletPixels(dataset, IMAGE_SIZE)[2], TripletPixels(dataset, IMAGE_SIZE, flip=True)[2]
    assert torch.equal(mirrored, plain.flip(-1))


def test_a_crop_takes_the_same_square_of_both_images(tmp_path: Path) -> None:
    [triplet] = tiny_triplets(1)
    wide = [image.resize((64, 40)) for image in (triplet.input_image, triplet.output_image)]
    write_triplets(tmp_path / "00000.tar", [Triplet(instruction="x", input_image=wide[0], output_image=wide[1])])
    pair = TripletPixels(tmp_path, 20).pair(0, False, (0.5, 1.0, 0.5))
    for found, image in zip(pair, wide, strict=True):
        expected = torch.from_numpy(np.asarray(image)[10:30, 44:64].astype(np.float32) / 127.5 - 1).permute(2, 0, 1)
        torch.testing.assert_close(found, expected)


def test_the_images_of_a_pair_can_be_seen_each_in_its_own_way(tmp_path: Path) -> None:
    pixels, crop = TripletPixels(write_dataset(tmp_path), IMAGE_SIZE), (0.75, 0.0, 1.0)
    seen = pixels.pair_as(3, [(False, crop), (True, CENTRED)])
    assert torch.equal(seen[0], pixels.pair(3, False, crop)[0])
    assert torch.equal(seen[1], pixels.pair(3, True)[1])


def wide_and_tall(folder: Path) -> list[Triplet]:
    """Write pairs of 1.7 : 1, 1 : 1, 1 : 1.7 and 1.7 : 1."""
    sizes = [(170, 100), (90, 90), (100, 170), (340, 200)]
    triplets = [
        Triplet(
            instruction=f"edit {number}",
            input_image=tiny_image(2 * number, size),
            output_image=tiny_image(2 * number + 1, size),
        )
        for number, size in enumerate(sizes)
    ]
    write_triplets(folder / "00000.tar", triplets)
    return triplets


def test_triplets_are_grouped_by_the_nearest_size_the_largest_group_first(tmp_path: Path) -> None:
    triplets = wide_and_tall(tmp_path)
    groups = TripletPixels(tmp_path, 256).grouped_by_size(training_sizes(256))
    assert [(numbers.tolist(), pixels.size) for numbers, pixels in groups] == [
        ([0, 3], (320, 192)),
        ([2], (192, 320)),
        ([1], (256, 256)),
    ]
    for numbers, pixels in groups:
        width, height = pixels.size
        assert pixels[0].shape == (2, 3, height, width)
        assert pixels.instructions() == [triplets[number].instruction for number in numbers]


def test_a_crop_of_any_ratio_is_the_largest_that_fits_and_the_same_of_both_images(tmp_path: Path) -> None:
    triplets = wide_and_tall(tmp_path)
    pixels = dict((p.size, p) for _, p in TripletPixels(tmp_path, 256).grouped_by_size(training_sizes(256)))
    pair = pixels[(320, 192)][0]
    # 170 x 100 is a little wider than 320 x 192: all rows, and 166.67 columns, rounded.
    for found, image in zip(pair, (triplets[0].input_image, triplets[0].output_image), strict=True):
        cut = image.resize((320, 192), Image.Resampling.LANCZOS, box=(1, 0, 168, 100))
        expected = torch.from_numpy(np.asarray(cut).astype(np.float32) / 127.5 - 1).permute(2, 0, 1)
        torch.testing.assert_close(found, expected)


def test_a_shard_that_vanished_is_named(tmp_path: Path) -> None:
    pixels = TripletPixels(write_dataset(tmp_path), IMAGE_SIZE)
    (tmp_path / "00001.tar").unlink()
    with pytest.raises(BadInputError, match="00001.tar: missing"):
        pixels[6]
    with pytest.raises(BadInputError, match="00001.tar: missing"):
        dataset_hash(tmp_path)


def test_images_of_another_size_are_cropped_to_one_centred_square(tmp_path: Path) -> None:
    [triplet] = tiny_triplets(1)
    wide = triplet.input_image.resize((96, 48))
    write_triplets(tmp_path / "00000.tar", [Triplet(instruction="x", input_image=wide, output_image=wide)])
    pair = TripletPixels(tmp_path, 48)[0]
    expected = torch.from_numpy(np.asarray(wide)[:, 24:72].astype(np.float32) / 127.5 - 1).permute(2, 0, 1)
    torch.testing.assert_close(pair[0], expected)
    assert torch.equal(pair[0], pair[1])
