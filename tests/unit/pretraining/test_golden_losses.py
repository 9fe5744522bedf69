"""Losses of ten steps as the embedded models' first training loop gave them: what a step is has not changed."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from editfoundry.pretraining.model_trainee import PretrainingConfig, fit
from editfoundry.pretraining.recipes import clip, joint, vae

GOLDEN = {
    "vae": [1.340582, 1.02424, 0.89248, 1.10242, 0.947839, 1.23501, 1.072998, 1.205927, 1.104558, 0.749496],
    "vae_decoder": [
        -1.380483,
        -1.436149,
        -1.166804,
        -1.264223,
        -1.408997,
        -1.311527,
        -1.537597,
        -1.402739,
        -1.124906,
        -1.50373,
    ],
    "clip": [1.399849, 1.495661, 1.721859, 1.401334, 1.395496, 1.392762, 1.388972, 1.387891, 1.386796, 1.385336],
    "diffusion": [0.387817, 0.416866, 0.301017, 0.264951, 0.072691, 0.291121, 0.334071, 0.166041, 0.242629, 0.319166],
}
WEIGHTS = {"vae": 18729.982, "clip": 52190.045, "diffusion": 83576.686}
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
    monkeypatch.setattr(vae, "NUM_PICTURES", 24)
    monkeypatch.setattr(vae.polish_decoder, "__defaults__", (few(vae.DECODER_CONFIG),))
    model, _ = vae.train_vae(tmp_path, CPU, few(vae.CONFIG))
    assert losses["vae"] == pytest.approx(GOLDEN["vae"], rel=1e-4)
    assert losses["vae_decoder"] == pytest.approx(GOLDEN["vae_decoder"], rel=1e-4)
    assert size_of(model) == pytest.approx(WEIGHTS["vae"], rel=1e-4)


def test_clip(losses: dict[str, list[float]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(clip, "NUM_PAIRS", 12)
    model, _, _ = clip.train_clip(tmp_path, CPU, few(clip.CONFIG))
    assert losses["clip"] == pytest.approx(GOLDEN["clip"], rel=1e-4)
    assert size_of(model) == pytest.approx(WEIGHTS["clip"], rel=1e-4)


def test_the_painter_and_editor(
    losses: dict[str, list[float]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in {"NUM_SCENES": 16, "NUM_EDITS": 12, "NUM_PAINTING_STEPS": 5}.items():
        monkeypatch.setattr(joint, name, value)
    torch.manual_seed(0)
    autoencoder = vae.build_vae()
    autoencoder.register_to_config(scaling_factor=0.5)
    _, editor, _ = joint.train_diffusion(tmp_path, autoencoder, CPU, few(joint.CONFIG))
    assert losses["diffusion"] == pytest.approx(GOLDEN["diffusion"], rel=1e-4)
    assert size_of(editor.unet) == pytest.approx(WEIGHTS["diffusion"], rel=1e-4)
