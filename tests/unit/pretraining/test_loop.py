"""The resumable training loop."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from editfoundry.pretraining.loop import LoopConfig, LoopResult, fit

CONFIG = LoopConfig(num_steps=30, batch_size=8, learning_rate=1e-2, num_warmup_steps=5, checkpoint_seconds=0.0)
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


def train(folder: Path, config: LoopConfig = CONFIG, seed: int = 0) -> tuple[nn.Module, LoopResult]:
    model = new_model(seed)
    return model, fit(model, step_loss, config, folder)


@pytest.mark.parametrize("num_steps", [1, 13, 29])
def test_a_run_that_is_cut_off_resumes_exactly(tmp_path: Path, num_steps: int) -> None:
    undisturbed, whole = train(tmp_path / "whole")
    with pytest.raises(PowerCutError):
        fit(new_model(), cut_off_after(num_steps), CONFIG, tmp_path / "cut")
    # A resumed process starts from other random weights; the checkpoint must replace them all.
    resumed, result = train(tmp_path / "cut", seed=99)
    for first, second in zip(undisturbed.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(first, second)
    assert (result.num_steps, result.final_loss) == (whole.num_steps, whole.final_loss)


def test_a_finished_run_is_not_trained_again(tmp_path: Path) -> None:
    first, _ = train(tmp_path)
    second = new_model(99)
    result = fit(second, cut_off_after(0), CONFIG, tmp_path)
    assert torch.equal(first.weight, second.weight)  # type: ignore[arg-type]
    assert result.num_steps == CONFIG.num_steps


def test_the_loop_leaves_only_whole_checkpoints_behind(tmp_path: Path) -> None:
    train(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["state.safetensors"]


def test_training_learns_and_reports_its_loss(tmp_path: Path) -> None:
    logged: list[tuple[str, int]] = []
    model = new_model()
    config = replace(CONFIG, num_steps=400, learning_rate=5e-2, weight_decay=0.0, ema_decay=0.9, checkpoint_seconds=60)
    result = fit(model, step_loss, config, tmp_path, lambda name, value, step: logged.append((name, step)))
    assert torch.allclose(model.weight, TRUE_WEIGHT, atol=0.05)  # type: ignore[arg-type]
    assert result.final_loss < 0.05
    assert logged == [("loss", step) for step in range(20, 401, 20)]
