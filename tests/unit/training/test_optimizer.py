from pathlib import Path

import pytest
from torch import nn

from editfoundry.training.loop_config import LoopConfig
from editfoundry.training.optimizer import learning_rate, make_optimizer, set_learning_rate
from editfoundry.training.trainee import TrainedPart


def rates(schedule: str, end: float = 0.0) -> list[float]:
    config = LoopConfig(
        output=Path("o"), num_steps=12, num_warmup_steps=4, learning_rate=2.0, lr_schedule=schedule, lr_end_share=end
    )
    return [learning_rate(config, step) for step in range(12)]


def test_the_rate_warms_up_linearly_to_its_peak() -> None:
    assert rates("cosine")[:5] == [0.5, 1.0, 1.5, 2.0, 2.0]


def test_the_cosine_falls_slowly_at_first_and_is_at_half_the_peak_half_way_down() -> None:
    # cos(45 degrees) is the square root of a half.
    assert [rates("cosine")[step] for step in (6, 8, 10)] == pytest.approx([1 + 0.5**0.5, 1.0, 1 - 0.5**0.5])


def test_the_linear_schedule_falls_evenly_to_zero() -> None:
    assert rates("linear")[4:] == pytest.approx([2 * (1 - i / 8) for i in range(8)])


def test_the_constant_schedule_stays_at_the_peak() -> None:
    assert rates("constant")[4:] == [2.0] * 8


def test_a_falling_schedule_ends_at_its_share_of_the_peak() -> None:
    assert rates("linear", 0.5)[4:] == pytest.approx([2 - i / 8 for i in range(8)])
    assert rates("cosine", 0.02)[-1] > 0.04 and rates("cosine", 0.02)[8] == pytest.approx(2 * 0.51)


def test_weights_that_are_frozen_are_not_given_to_the_optimizer() -> None:
    layer = nn.Linear(2, 2)
    layer.weight.requires_grad_(False)
    optimizer = make_optimizer(LoopConfig(output=Path("o"), num_steps=1), [TrainedPart(layer)])
    assert [id(p) for group in optimizer.param_groups for p in group["params"]] == [id(layer.bias)]


def test_the_optimizer_has_the_settings_of_the_configuration() -> None:
    config = LoopConfig(output=Path("o"), num_steps=1, learning_rate=0.25, adam_beta2=0.95, weight_decay=0.125)
    [group] = make_optimizer(config, [TrainedPart(nn.Linear(2, 2))]).param_groups
    assert (group["lr"], group["betas"], group["weight_decay"]) == (0.25, (0.9, 0.95), 0.125)


def test_each_part_learns_at_its_share_of_the_rate_and_parts_of_one_share_make_one_group() -> None:
    config = LoopConfig(output=Path("o"), num_steps=1, learning_rate=1.0)
    parts = [TrainedPart(nn.Linear(2, 2)), TrainedPart(nn.Linear(3, 3), 0.1), TrainedPart(nn.Linear(4, 4))]
    optimizer = make_optimizer(config, parts)
    set_learning_rate(optimizer, parts, 0.5)
    assert [(len(group["params"]), group["lr"]) for group in optimizer.param_groups] == [(4, 0.5), (2, 0.05)]
