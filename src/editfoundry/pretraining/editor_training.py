"""What the recipes of editors share: the trainer's settings, and the editor that it leaves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from diffusers import StableDiffusionInstructPix2PixPipeline

from editfoundry.pretraining.model_trainee import PretrainingConfig

CHANGE_WEIGHT = 4.0
"""As the base was trained: what changes is a small part of most pictures."""
_OF_THE_LOOP = (
    "num_steps", "batch_size", "learning_rate", "num_warmup_steps", "weight_decay", "ema_decay", "max_grad_norm",
    "seed", "log_every", "mixed_precision", "ends_at", "mlflow_tracking_uri", "mlflow_experiment",
)  # fmt: skip


def trainer_settings(work_dir: Path, output: str, config: PretrainingConfig) -> dict[str, Any]:
    """Return the trainer's settings that the recipes of editors share.

    Args:
        work_dir: gets the caches, and the checkpoint.
        output: folder of the checkpoint, in ``work_dir``.
        config: of the recipe.
    """
    return {
        "output": work_dir / output,
        "work_dir": work_dir / "data",
        "change_weight": CHANGE_WEIGHT,
        "checkpoint_every": 250,
        **loop_settings(config),
    }


def loop_settings(config: PretrainingConfig) -> dict[str, Any]:
    """Return the loop's settings, as a trainer's configuration has them."""
    return {name: getattr(config, name) for name in _OF_THE_LOOP}


def open_trained(folder: Path) -> StableDiffusionInstructPix2PixPipeline:
    """Return the editor of a finished training, to be shipped."""
    pipeline = StableDiffusionInstructPix2PixPipeline.from_pretrained(folder)
    forget_paths(pipeline)
    return pipeline


def forget_paths(*parts: Any) -> None:
    """Forget, in pipelines' and models' configurations, where they lay; else this machine's path is shipped in them."""
    for part in parts:
        for one in (part, *getattr(part, "components", {}).values()):
            if hasattr(one, "register_to_config"):
                one.register_to_config(_name_or_path="")
