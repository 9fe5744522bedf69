"""How far a training is that has to be over at a time."""

from pathlib import Path

import pytest

from editfoundry.training.loop_config import LoopConfig
from editfoundry.training.optimizer import learning_rate
from editfoundry.training.schedule import Schedule

START = 1_000.0


class StoppedClock:
    """Shows what it is set to."""

    now = START

    def __call__(self) -> float:
        return self.now


def config(**settings: float | None) -> LoopConfig:
    return LoopConfig(output=Path(), num_steps=100, learning_rate=1.0, **settings)  # type: ignore[arg-type]


def test_without_a_time_the_steps_tell_how_far_a_training_is() -> None:
    clock = StoppedClock()
    schedule = Schedule.start(config(), 0.0, clock)
    clock.now += 1e9
    assert (schedule.share(25), schedule.share(100), schedule.share(150)) == (0.25, 1.0, 1.0)


def test_a_training_that_is_slower_than_its_time_goes_by_the_clock() -> None:
    clock = StoppedClock()
    schedule = Schedule.start(config(ends_at=START + 60), 0.0, clock)
    clock.now += 30
    assert schedule.share(10) == 0.5
    clock.now += 40
    assert schedule.share(11) == 1.0


def test_a_training_that_is_faster_than_its_time_goes_by_its_steps() -> None:
    clock = StoppedClock()
    schedule = Schedule.start(config(ends_at=START + 60), 0.0, clock)
    clock.now += 3
    assert schedule.share(80) == 0.8


def test_what_an_interrupted_run_had_done_stays_done_and_the_rest_shares_the_new_time() -> None:
    clock = StoppedClock()
    schedule = Schedule.start(config(ends_at=START + 10), 0.6, clock)
    assert schedule.share(5) == 0.6
    clock.now += 5
    assert schedule.share(5) == pytest.approx(0.8)


@pytest.mark.parametrize("ends_at", [START - 1, START - 0.5, START])
def test_a_training_whose_time_is_over_ends_after_one_step(ends_at: float) -> None:
    assert Schedule.start(config(ends_at=ends_at), 0.0, StoppedClock()).share(1) == 1.0


def test_half_a_second_is_time_too() -> None:
    clock = StoppedClock()
    schedule = Schedule.start(config(ends_at=START + 0.5), 0.0, clock)
    clock.now += 0.25
    assert schedule.share(1) == 0.5


def test_the_learning_rate_falls_with_the_share_that_is_done() -> None:
    settings = config(ends_at=START + 60, lr_end_share=0.02)
    assert learning_rate(settings, 3, 0.5) == pytest.approx(learning_rate(settings, 50))
    assert learning_rate(settings, 3, 1.0) == pytest.approx(0.02)
