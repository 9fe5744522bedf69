from pathlib import Path

import pytest

from editfoundry.training.config import TrainingConfig
from editfoundry.training.schedule import learning_rate


def rates(schedule: str) -> list[float]:
    config = TrainingConfig(
        editor="e", dataset=Path("d"), output=Path("o"), num_steps=12, num_warmup_steps=4, learning_rate=2.0,
        lr_schedule=schedule,
    )  # fmt: skip
    return [learning_rate(config, step) for step in range(12)]


def test_the_rate_warms_up_linearly_to_its_peak() -> None:
    assert rates("cosine")[:5] == [0.5, 1.0, 1.5, 2.0, 2.0]


def test_the_cosine_is_at_half_the_peak_half_way_down() -> None:
    assert rates("cosine")[8] == pytest.approx(1.0)


def test_the_linear_schedule_falls_evenly_to_zero() -> None:
    assert rates("linear")[4:] == pytest.approx([2 * (1 - i / 8) for i in range(8)])


def test_the_constant_schedule_stays_at_the_peak() -> None:
    assert rates("constant")[4:] == [2.0] * 8
