from collections import Counter

import pytest
import torch

from editfoundry.editors.triplet_training.aspect_ratios import (
    RESOLUTIONS,
    SizeSchedule,
    nearest_size,
    training_sizes,
)
from editfoundry.errors import BadInputError


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_sizes_are_multiples_of_64_of_nearly_one_area_and_come_upright_and_across(resolution: int) -> None:
    sizes = training_sizes(resolution)
    assert (resolution, resolution) in sizes and len(sizes) == len(set(sizes))
    assert {(height, width) for width, height in sizes} == set(sizes)
    for width, height in sizes:
        assert width % 64 == height % 64 == 0 and max(width, height) <= 4 * min(width, height)
        assert width * height <= resolution**2 < (width + 64) * (height + 64)


def test_a_resolution_without_sizes_is_named() -> None:
    with pytest.raises(BadInputError, match="resolution is 300, but must be one of 256, 512, 768, 1024"):
        training_sizes(300)


@pytest.mark.parametrize(("size", "resolution", "kept"), [((1920, 1080), 512, 0.93), ((1080, 1920), 1024, 0.95)])
def test_a_video_frame_loses_little_where_a_square_loses_44_percent(
    size: tuple[int, int], resolution: int, kept: float
) -> None:
    width, height = nearest_size(size, training_sizes(resolution))
    wanted, given = width / height, size[0] / size[1]
    assert min(wanted / given, given / wanted) >= kept
    assert min(size) / max(size) == pytest.approx(1 - 0.4375)


def test_nearest_is_meant_by_the_quotient_of_ratios() -> None:
    sizes = [(100, 100), (200, 100), (100, 200)]
    assert [nearest_size(size, sizes) for size in ((139, 100), (142, 100), (100, 139), (100, 142))] == [
        (100, 100),
        (200, 100),
        (100, 100),
        (100, 200),
    ]


def test_one_group_gives_batches_one_after_the_other() -> None:
    schedule = SizeSchedule(3, [7], 4)
    assert [schedule.place(step) for step in range(5)] == [(0, 4 * step) for step in range(5)]


def test_groups_come_as_often_as_their_shares_say_and_lose_or_double_no_sample() -> None:
    sizes, batch = [1, 13, 50, 3], 4
    schedule = SizeSchedule(0, sizes, batch)
    num_epochs = 40
    num_steps = sum(num_epochs * size // batch for size in sizes)
    places = [schedule.place(step) for step in range(num_steps)]
    counts = Counter(group for group, _ in places)
    assert [counts[group] for group in range(4)] == [num_epochs * size // batch for size in sizes]
    for group in range(4):
        starts = [start for found, start in places if found == group]
        assert starts == [batch * number for number in range(len(starts))]
    # Not one group after the other.
    assert len({group for group, _ in places[:17]}) >= 2


def test_a_steps_place_does_not_depend_on_what_was_asked_before() -> None:
    sizes = [5, 9, 2]
    straight = [SizeSchedule(7, sizes, 4).place(step) for step in range(100)]
    schedule = SizeSchedule(7, sizes, 4)
    assert [schedule.place(step) for step in reversed(range(100))] == straight[::-1]
    assert [SizeSchedule(8, sizes, 4).place(step)[0] for step in range(100)] != [group for group, _ in straight]


def test_an_epochs_groups_come_in_torchs_permutation_by_the_seed() -> None:
    sizes, epoch = [8, 24], 2
    generator = torch.Generator().manual_seed(5 * 1_000_003 + 700_001 * (epoch + 1))
    expected = torch.tensor([0] * 2 + [1] * 6)[torch.randperm(8, generator=generator)]
    schedule = SizeSchedule(5, sizes, 4)
    assert [schedule.place(8 * epoch + step)[0] for step in range(8)] == expected.tolist()
