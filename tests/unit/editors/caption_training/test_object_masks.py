"""Training masks: the kinds in their shares, over what the caption names, the same on any number of processes."""

import pytest
import torch

from editfoundry.editors.caption_training.object_masks import (
    ALL_NAMED,
    MASKINGS,
    MaskShares,
    mask_draws,
    padded_boxes,
)
from editfoundry.errors import BadInputError

BOX = [0.25, 0.5, 0.5, 0.75]
ZERO = {"object_box": 0, "object_and_random": 0, "random_box": 0, "strokes": 0, "full": 0}


def drawn(shares, boxes, seed=0, size=64, rows=slice(None)):
    masks = mask_draws(shares, torch.Generator().manual_seed(seed), size, rows)
    return masks.draw(padded_boxes(boxes[rows], 3), 32, 32)


def only(kind):
    return MaskShares(**{**ZERO, kind: 1})


def test_an_object_s_mask_covers_its_box_and_is_at_most_a_margin_larger():
    masks = drawn(only("object_box"), [[BOX]] * 64)
    assert masks.dtype is torch.bool and masks.shape == (64, 1, 32, 32)
    assert masks[:, 0, 16:24, 8:16].all()
    assert masks.sum((1, 2, 3)).max() <= 13 * 13 + 1 and len(masks.unique(dim=0)) > 10


def test_a_box_smaller_than_a_pixel_paints_the_pixel_that_it_lies_in():
    tiny = [(5.9 + 0.02 * n) / 32 for n in range(2)]
    masks = drawn(only("object_box"), [[[tiny[0], 9.2 / 32, tiny[1], 9.4 / 32]]] * 16, size=16)
    assert masks[:, 0, 9, 5].all() and (masks.sum((1, 2, 3)) == 1).all()
    assert drawn(only("object_box"), [[[0.999, 0.0, 1.0, 1e-6]]] * 4, size=4)[:, 0, 0, 31].all()


def test_of_several_things_each_is_masked_alone_and_at_times_all_are():
    boxes = [[0.0, 0.0, 0.25, 0.25], [0.75, 0.75, 1.0, 1.0]]
    masks = drawn(only("object_box"), [boxes] * 400, size=400)[:, 0]
    first, second = masks[:, :8, :8].all((1, 2)), masks[:, 24:, 24:].all((1, 2))
    assert (first | second).all()
    assert abs(float((first & second).float().mean()) - ALL_NAMED) < 0.08
    assert abs(float((first & ~second).sum() - (second & ~first).sum())) < 60


def test_a_union_has_the_object_and_more_than_its_box_or_a_stroke_alone():
    boxes = [[BOX]] * 64
    alone, union = drawn(only("object_box"), boxes), drawn(only("object_and_random"), boxes)
    assert (union & alone).eq(alone).all()
    assert union.sum() > 1.2 * alone.sum()


def test_where_nothing_is_named_random_masks_take_the_object_s_place():
    masks = drawn(only("object_box"), [[]] * 64)
    assert masks.flatten(1).any(1).all() and masks.float().mean() < 0.6


@pytest.mark.parametrize(("kind", "least", "most"), [("random_box", 0.02, 0.75), ("strokes", 0.02, 0.6)])
def test_random_masks_vary_and_know_no_box(kind, least, most):
    masks = drawn(only(kind), [[BOX]] * 64)
    assert torch.equal(masks, drawn(only(kind), [[]] * 64))
    shares = masks.float().mean((1, 2, 3))
    assert least < shares.min() < shares.max() < most and len(masks.unique(dim=0)) == 64


def test_a_full_mask_is_white_everywhere():
    assert drawn(only("full"), [[BOX]] * 4, size=4).all()


def test_kinds_come_in_their_shares():
    shares = MaskShares(**{**ZERO, "object_box": 3, "full": 1})
    full = drawn(shares, [[BOX]] * 4000, size=4000).all(-1).all(-1).float().mean()
    assert abs(float(full) - 0.25) < 0.03


def test_a_part_of_a_step_draws_what_the_whole_step_draws_there():
    boxes = [[BOX]] * 8
    for shares in MASKINGS.values():
        whole = drawn(shares, boxes, size=8)
        parts = [drawn(shares, boxes, size=8, rows=slice(start, start + 4)) for start in (0, 4)]
        assert torch.equal(whole, torch.cat(parts))
        assert not torch.equal(whole, drawn(shares, boxes, seed=1, size=8))


def test_masks_of_another_size_are_the_same_shapes():
    masks = mask_draws(MASKINGS["object"], torch.Generator().manual_seed(0), 32)
    boxes = padded_boxes([[BOX]] * 32, 1)
    small, large = masks.draw(boxes, 32, 32).float(), masks.draw(boxes, 128, 128).float()
    assert (torch.nn.functional.avg_pool2d(large, 4) - small).abs().mean() < 0.05


def test_shares_below_zero_or_all_zero_are_refused():
    with pytest.raises(BadInputError, match="share of strokes is -1"):
        MaskShares(strokes=-1)
    with pytest.raises(BadInputError, match="at least one kind"):
        MaskShares(**ZERO)
