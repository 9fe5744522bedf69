"""Small models through the training loop: exact resumption, averaging, learning."""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from editfoundry.errors import BadInputError
from editfoundry.pretraining.model_trainee import PretrainingConfig, PretrainingResult, fit

CONFIG = PretrainingConfig(
    num_steps=30, batch_size=8, learning_rate=1e-2, num_warmup_steps=5, checkpoint_every_seconds=0.0
)
TRUE_WEIGHT = torch.tensor([[1.0, -2.0, 0.5]])


class PowerCutError(Exception):
    """Ends a run without warning."""


def step_loss(model: nn.Module, generator: torch.Generator) -> Tensor:
    x = torch.randn(8, 3, generator=generator)
    return nn.functional.mse_loss(model(x), x @ TRUE_WEIGHT.T)


def cut_off_after(num_steps: int) -> Callable[[nn.Module, torch.Generator], Tensor]:
    done = 0

    def loss(model: nn.Module, generator: torch.Generator) -> Tensor:
        nonlocal done
        if done == num_steps:
            raise PowerCutError
        done += 1
        return step_loss(model, generator)

    return loss


def new_model(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Linear(3, 1)


def train(folder: Path, config: PretrainingConfig = CONFIG, seed: int = 0) -> tuple[nn.Module, PretrainingResult]:
    model = new_model(seed)
    return model, fit(model, step_loss, config, folder)


@pytest.mark.parametrize("num_steps", [1, 13, 29])
def test_a_run_that_is_cut_off_resumes_exactly(tmp_path: Path, num_steps: int) -> None:
    undisturbed, whole = train(tmp_path / "whole")
    with pytest.raises(PowerCutError):
        fit(new_model(), cut_off_after(num_steps), CONFIG, tmp_path / "cut")
    resumed, result = train(tmp_path / "cut")
    for first, second in zip(undisturbed.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(first, second)
    assert (result.num_steps, result.final_loss) == (whole.num_steps, whole.final_loss)


def test_a_finished_run_is_not_trained_again(tmp_path: Path) -> None:
    first, _ = train(tmp_path)
    second = new_model()
    result = fit(second, cut_off_after(0), CONFIG, tmp_path)
    assert torch.equal(first.weight, second.weight)  # type: ignore[arg-type]
    assert result.num_steps == CONFIG.num_steps


def test_what_is_left_is_the_finished_weights_and_their_summary(tmp_path: Path) -> None:
    model, _ = train(tmp_path / "run")
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert names == {"model.safetensors", "training.json", ".editfoundry-stage"}
    assert torch.equal(load_file(tmp_path / "run" / "model.safetensors")["weight"], model.weight)  # type: ignore[arg-type]
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_state_of_other_starting_weights_is_not_gone_on_from(tmp_path: Path) -> None:
    with pytest.raises(PowerCutError):
        fit(new_model(), cut_off_after(3), CONFIG, tmp_path)
    with pytest.raises(BadInputError, match="is of a run with another starting_weights"):
        train(tmp_path, seed=99)


def test_the_shipped_weights_are_the_average_with_the_starting_weights_in_it(tmp_path: Path) -> None:
    config = replace(CONFIG, num_steps=4, ema_decay=0.25)
    seen: list[Tensor] = []

    def watched(model: nn.Module, generator: torch.Generator) -> Tensor:
        seen.append(model.weight.detach().clone())  # type: ignore[operator]
        return step_loss(model, generator)

    model = new_model()
    last = new_model()
    fit(model, watched, config, tmp_path)
    fit(last, step_loss, replace(config, use_ema=False), tmp_path / "last")
    expected = seen[0]
    for number, weight in enumerate([*seen[1:], last.weight.detach()], start=1):  # type: ignore[operator]
        decay = min(0.25, (1 + number) / (10 + number))
        expected = decay * expected + (1 - decay) * weight  # type: ignore[operator]
    assert torch.allclose(model.weight, expected, atol=1e-6)  # type: ignore[arg-type]


def test_training_learns_and_reports_its_loss(tmp_path: Path) -> None:
    model = new_model()
    config = replace(
        CONFIG, num_steps=400, learning_rate=5e-2, weight_decay=0.0, ema_decay=0.9, checkpoint_every_seconds=60
    )
    result = fit(model, step_loss, config, tmp_path)
    assert torch.allclose(model.weight, TRUE_WEIGHT, atol=0.05)  # type: ignore[arg-type]
    assert result.final_loss < 0.05
    curve = json.loads((tmp_path / "training.json").read_text())["loss_curve"]
    assert [step for step, _ in curve] == list(range(20, 401, 20))
    assert result.final_loss == pytest.approx(sum(loss for _, loss in curve[-5:]) / 5)


def test_a_training_that_has_to_be_over_ends_with_its_schedule(tmp_path: Path) -> None:
    def slow(model: nn.Module, generator: torch.Generator) -> Tensor:
        time.sleep(0.02)
        return step_loss(model, generator)

    config = replace(CONFIG, num_steps=10_000, ends_at=time.time() + 2)
    result = fit(new_model(), slow, config, tmp_path)
    assert 1 <= result.num_steps < 200
    again = fit(new_model(), cut_off_after(0), replace(config, ends_at=None), tmp_path)
    assert again.num_steps == result.num_steps


def test_an_interrupted_training_that_is_given_a_time_goes_on_with_what_is_left_of_its_schedule(tmp_path: Path) -> None:
    with pytest.raises(PowerCutError):
        fit(new_model(), cut_off_after(20), CONFIG, tmp_path)
    result = fit(new_model(), step_loss, replace(CONFIG, ends_at=time.time() - 1), tmp_path)
    assert result.num_steps == 21
