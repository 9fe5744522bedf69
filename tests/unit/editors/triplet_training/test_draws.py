import torch

from editfoundry.editors.triplet_training.draws import EpochOrder, normal_rows


def test_some_rows_of_a_draw_are_those_of_the_whole_and_the_generator_goes_on_alike() -> None:
    for shape in ((4, 8, 8), (16,), (4, 3, 5), (1,), (15,), (17,)):
        reference = torch.Generator().manual_seed(3)
        whole, after = torch.randn((9, *shape), generator=reference), torch.rand(4, generator=reference)
        for rows in (slice(0, 9), slice(0, 2), slice(2, 7), slice(8, 9), slice(5, 5)):
            generator = torch.Generator().manual_seed(3)
            assert torch.equal(normal_rows(9, shape, rows, generator), whole[rows])
            assert torch.equal(torch.rand(4, generator=generator), after)


def test_rows_far_apart_are_passed_over_in_pieces() -> None:
    reference, generator = (torch.Generator().manual_seed(5) for _ in range(2))
    whole = torch.randn((40, 4, 64, 64), generator=reference)
    assert torch.equal(normal_rows(40, (4, 64, 64), slice(30, 33), generator), whole[30:33])


def test_every_epoch_visits_every_triplet_once_in_an_order_of_its_own() -> None:
    order = EpochOrder(0, 7)
    drawn = torch.cat([order.indices(start, 4) for start in range(0, 28, 4)]).view(4, 7)
    assert drawn.sort(dim=1).values.tolist() == [list(range(7))] * 4
    assert len({tuple(row) for row in drawn.tolist()}) > 1


def test_an_order_does_not_depend_on_what_was_asked_before_and_only_few_are_kept() -> None:
    order = EpochOrder(2, 5)
    straight = order.indices(0, 60)
    assert len(order._orders) == 2
    assert torch.equal(order.indices(13, 4), straight[13:17]) and torch.equal(order.indices(44, 9), straight[44:53])


def test_an_epochs_order_is_torchs_permutation_by_the_seed() -> None:
    expected = torch.randperm(50, generator=torch.Generator().manual_seed(3 * 1_000_003 + 500_009 * 2))
    assert torch.equal(EpochOrder(3, 50).indices(50, 50), expected)
