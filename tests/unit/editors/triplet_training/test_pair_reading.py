"""All pairs of a data set in order, read by one process or by several."""

from pathlib import Path

import pytest
import torch
from damaged_shards import overwrite_picture
from tiny_models import IMAGE_SIZE, write_dataset

from editfoundry.editors.triplet_training import pair_reading
from editfoundry.editors.triplet_training.pair_reading import pairs_in_order
from editfoundry.editors.triplet_training.triplet_pixels import TripletPixels
from editfoundry.errors import BadInputError

DEVICES = {"one process": torch.device("cpu"), "several": torch.device("cuda")}


@pytest.mark.parametrize("readers", DEVICES)
@pytest.mark.parametrize("flip", [False, True])
def test_every_pair_is_read_once_in_order(readers: str, flip: bool, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(pair_reading, "MIN_PARALLEL", 1)
    pixels = TripletPixels(write_dataset(tmp_path / "data"), IMAGE_SIZE)
    read = [*pairs_in_order(pixels, flip, 3, DEVICES[readers])]
    assert [start for start, _ in read] == [0, 3, 6]
    wanted = torch.stack([pixels.pair(number, flip) for number in range(len(pixels))])
    assert torch.equal(torch.cat([pairs for _, pairs in read]), wanted)


@pytest.mark.parametrize("readers", DEVICES)
def test_a_broken_picture_is_one_line_whoever_reads_it(readers: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(pair_reading, "MIN_PARALLEL", 1)
    dataset = write_dataset(tmp_path / "data")
    pixels = TripletPixels(dataset, IMAGE_SIZE)
    overwrite_picture(dataset / "00000.tar")
    with pytest.raises(BadInputError, match=r"00000\.tar: [^\n]*$"):
        [*pairs_in_order(pixels, False, 3, DEVICES[readers])]
