from pathlib import Path

import pytest
import torch
from diffusers.training_utils import EMAModel
from torch import nn

from editfoundry.training import averaging
from editfoundry.training.averaging import RunningAverage, averaged_weights


def moved(parameters: list[nn.Parameter], step: int) -> None:
    generator = torch.Generator().manual_seed(step)
    for parameter in parameters:
        parameter.data += torch.randn(parameter.shape, generator=generator)


@pytest.mark.parametrize("update_after_step", [-1, 0, 3])
@pytest.mark.parametrize("on_cpu", [False, True])
def test_the_average_is_that_of_diffusers(update_after_step: int, on_cpu: bool) -> None:
    parameters = [nn.Parameter(torch.ones(3, 2)), nn.Parameter(torch.zeros(5))]
    ours = RunningAverage(parameters, 0.7, update_after_step, on_cpu)
    theirs = EMAModel(parameters, decay=0.7, update_after_step=update_after_step, foreach=True)
    for step in range(40):
        moved(parameters, step)
        ours.step(parameters)
        theirs.step(parameters)
        for kept, expected in zip(ours.weights, theirs.shadow_params, strict=True):
            assert torch.equal(kept, expected.data)


def test_weights_that_are_averaged_in_parts_are_averaged_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = [nn.Parameter(torch.full((size,), float(size))) for size in (3, 5, 1, 9)]
    whole, parts = (RunningAverage(parameters, 0.9, 0) for _ in range(2))
    for step in range(3):
        moved(parameters, step)
        whole.step(parameters)
        with monkeypatch.context() as patched:
            patched.setattr(averaging, "_NUMBERS_AT_ONCE", 6)
            parts.step(parameters)
    assert all(torch.equal(one, other) for one, other in zip(whole.weights, parts.weights, strict=True))


def test_a_saved_average_goes_on_where_it_was(tmp_path: Path) -> None:
    parameters = [nn.Parameter(torch.ones(3, 2))]
    straight, stopped = (RunningAverage(parameters, 0.9, 0) for _ in range(2))
    moved(parameters, 0)
    for average in (straight, stopped):
        average.step(parameters)
    stopped.save(tmp_path, 0)
    resumed = RunningAverage(parameters, 0.9, 0)
    resumed.load(tmp_path, 0)
    moved(parameters, 1)
    for average in (straight, resumed):
        average.step(parameters)
    assert resumed.num_steps == 2 and torch.equal(straight.weights[0], resumed.weights[0])


def test_weights_are_their_average_for_a_while_alone() -> None:
    parameters = [nn.Parameter(torch.zeros(4))]
    average = RunningAverage(parameters, 0.9, 0)
    parameters[0].data += 1
    with averaged_weights(average, parameters):
        assert parameters[0].tolist() == [0] * 4
    assert parameters[0].tolist() == [1] * 4


def test_without_an_average_the_weights_stay_as_they_are() -> None:
    parameters = [nn.Parameter(torch.ones(4))]
    with averaged_weights(None, parameters):
        assert parameters[0].tolist() == [1] * 4


def test_weights_in_another_memory_layout_are_saved_and_come_back(tmp_path: Path) -> None:
    weight = torch.arange(72.0).view(2, 4, 3, 3).contiguous(memory_format=torch.channels_last)
    RunningAverage([nn.Parameter(weight)], 0.9, 0).save(tmp_path, 0)
    loaded = RunningAverage([nn.Parameter(torch.zeros(2, 4, 3, 3))], 0.9, 0)
    loaded.load(tmp_path, 0)
    assert torch.equal(loaded.weights[0], weight)
