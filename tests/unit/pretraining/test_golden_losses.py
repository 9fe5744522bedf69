"""Losses of the embedded models' first ten steps, recorded: what a step is does not change unnoticed."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from editfoundry.pretraining.model_trainee import PretrainingConfig, fit
from editfoundry.pretraining.recipes import clip, joint, vae

GOLDEN = {
    "vae": [
        -1.101203,
        -1.320568,
        -1.572994,
        -1.447808,
        -1.484244,
        -1.312593,
        -1.459432,
        -1.175148,
        -1.104527,
        -1.45916,
    ],
    "vae_decoder": [-1.142925, -1.31046],
    "clip": [1.399849, 1.495661, 1.721859, 1.401334, 1.395496, 1.392762, 1.388972, 1.387891, 1.386796, 1.385336],
    "diffusion": [0.338834, 0.459135, 0.291832, 0.456641, 0.145887, 0.389117, 0.38825, 0.356749, 0.400542, 0.211087],
}
WEIGHTS = {"vae": 18972.402, "clip": 52190.045, "diffusion": 83809.619}
"""Sums of the finished weights' sizes."""
CPU = torch.device("cpu")


def few(config: PretrainingConfig) -> PretrainingConfig:
    return replace(config, num_steps=10, batch_size=4, num_warmup_steps=3)


@pytest.fixture
def losses(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, list[float]]]:
    """What `fit` was told at each step, by the name of its folder."""
    seen: dict[str, list[float]] = {}

    def watched(model: Any, step_loss: Any, config: PretrainingConfig, folder: Path) -> Any:
        values = seen.setdefault(folder.name, [])

        def noted(module: Any, generator: torch.Generator) -> torch.Tensor:
            loss: torch.Tensor = step_loss(module, generator)
            values.append(float(loss.detach()))
            return loss

        return fit(model, noted, config, folder)

    for module in (vae, clip, joint):
        monkeypatch.setattr(module, "fit", watched)
    yield seen


def size_of(model: Any) -> float:
    return sum(float(parameter.detach().double().abs().sum()) for parameter in model.parameters())


def test_the_autoencoder(losses: dict[str, list[float]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(vae, "DECODER_CONFIG", few(vae.DECODER_CONFIG))
    model, _ = vae.train_vae(tmp_path, CPU, few(vae.CONFIG), num_pictures=24)
    assert losses["vae"] == pytest.approx(GOLDEN["vae"], rel=1e-4)
    assert losses["vae_decoder"] == pytest.approx(GOLDEN["vae_decoder"], rel=1e-4)
    assert size_of(model) == pytest.approx(WEIGHTS["vae"], rel=1e-4)


def test_clip(losses: dict[str, list[float]], tmp_path: Path) -> None:
    model, _, _ = clip.train_clip(tmp_path, CPU, few(clip.CONFIG), num_pairs=12)
    assert losses["clip"] == pytest.approx(GOLDEN["clip"], rel=1e-4)
    assert size_of(model) == pytest.approx(WEIGHTS["clip"], rel=1e-4)


def test_the_painter_and_editor(
    losses: dict[str, list[float]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(joint, "NUM_PAINTING_STEPS", 5)
    torch.manual_seed(0)
    autoencoder = vae.build_vae()
    autoencoder.register_to_config(scaling_factor=0.5)
    _, editor, _ = joint.train_diffusion(tmp_path, autoencoder, CPU, few(joint.CONFIG), num_scenes=16, num_edits=12)
    assert losses["diffusion"] == pytest.approx(GOLDEN["diffusion"], rel=1e-4)
    assert size_of(editor.unet) == pytest.approx(WEIGHTS["diffusion"], rel=1e-4)
