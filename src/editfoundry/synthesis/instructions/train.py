"""Trains the profile's language model on rows, through the project's loop; also under ``accelerate launch``."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from editfoundry.synthesis.instructions.instruction_rows import read_instruction_rows
from editfoundry.synthesis.instructions.training_config import InstructionTrainingConfig
from editfoundry.training.settings_file import config_from


def instruction_training_config(
    rows: Path, output: Path, profile: str, settings: Mapping[str, Any]
) -> InstructionTrainingConfig:
    """Return a training's configuration; without ``num_steps`` each row is read once, as InstructPix2Pix's were.

    Raises:
        BadInputError: the rows cannot be read, or a setting is unknown or wrong.
    """
    values: dict[str, Any] = {**settings, "rows": str(rows), "output": str(output), "profile": profile}
    if "num_steps" not in values:
        count = sum(1 for _ in read_instruction_rows(rows))
        size = values.get("batch_size", InstructionTrainingConfig.batch_size)
        values["num_steps"] = math.ceil(count / size) if isinstance(size, int) and size > 0 else 1
    return config_from(InstructionTrainingConfig, values)


def train_instruction_model(
    config: InstructionTrainingConfig, should_stop: Callable[[], bool] | None = None
) -> dict[str, Any]:
    """Train in this process; nothing is done where it is trained already, and what was interrupted is resumed.

    Returns:
        The content of the finished checkpoint's ``training.json``.

    Raises:
        BadInputError: the rows, the model or the configuration cannot be used.
        TrainingInterrupted: stopped; its state is saved.
        TrainingError: the loss is no longer a number, or the disk is full.
    """
    from editfoundry.synthesis.instructions.trainee import InstructionTrainee
    from editfoundry.training.loop import train

    return train(config, InstructionTrainee.load, should_stop)
