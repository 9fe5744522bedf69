import math

import torch

from editfoundry.editors.triplet_training.dropout import conditioning_dropout, token_dropout


def test_each_case_takes_five_percent_of_the_draws() -> None:
    count = 200_000
    draws = torch.rand(count, generator=torch.Generator().manual_seed(0))
    drop_text, drop_image = conditioning_dropout(draws, 0.05)
    cases = [drop_text & ~drop_image, drop_text & drop_image, ~drop_text & drop_image]
    four_sigma = 4 * math.sqrt(0.05 * 0.95 / count)
    for case in cases:
        assert abs(case.float().mean().item() - 0.05) < four_sigma


def test_the_three_cases_follow_each_other_on_the_unit_interval() -> None:
    drop_text, drop_image = conditioning_dropout(torch.tensor([0.0, 0.05, 0.1, 0.15, 0.99]), 0.05)
    assert drop_text.tolist() == [True, True, False, False, False]
    assert drop_image.tolist() == [False, True, True, False, False]


def test_without_dropout_nothing_is_dropped() -> None:
    drop_text, drop_image = conditioning_dropout(torch.zeros(3), 0.0)
    assert not drop_text.any() and not drop_image.any()


START, END, PAD = 7, 8, 9


def test_what_stands_behind_a_dropped_token_moves_up() -> None:
    ids = torch.tensor([[START, 1, 2, 3, END, PAD], [START, 4, END, PAD, PAD, PAD]])
    drop = torch.tensor([[0, 0, 1, 0, 0, 0], [0, 1, 0, 0, 0, 0]], dtype=torch.bool)
    left = token_dropout(ids, drop, end_token=END, pad_token=PAD)
    assert left.tolist() == [[START, 1, 3, END, PAD, PAD], [START, END, PAD, PAD, PAD, PAD]]


def test_start_end_and_padding_are_never_dropped() -> None:
    ids = torch.tensor([[START, 1, 2, END], [START, END, END, END]])
    left = token_dropout(ids, torch.ones(2, 4, dtype=torch.bool), end_token=END, pad_token=END)
    assert left.tolist() == [[START, END, END, END]] * 2
    ids = torch.tensor([[START, 1, 2, END, PAD], [START, 3, END, PAD, PAD]])
    left = token_dropout(ids, torch.ones(2, 5, dtype=torch.bool), end_token=END, pad_token=PAD)
    assert left.tolist() == [[START, END, PAD, PAD, PAD]] * 2


def test_without_token_dropout_instructions_stay_as_they_are() -> None:
    ids = torch.tensor([[START, 1, 2, END, PAD]])
    assert torch.equal(token_dropout(ids, torch.zeros(1, 5, dtype=torch.bool), end_token=END, pad_token=PAD), ids)
