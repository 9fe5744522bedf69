"""What a training depends on, as a hash and by name: tells whether a checkpoint or a half-finished run still fits."""

from __future__ import annotations

import json
from typing import Any

from editfoundry.data.hashing import input_hash
from editfoundry.tracking.model_registry import TRAINING_SUMMARY
from editfoundry.training.loop_config import LoopConfig


def run_hash(config: LoopConfig) -> str:
    """Hash everything that the trained weights depend on: settings, data and starting weights."""
    return input_hash(run_settings(config))


def run_settings(config: LoopConfig) -> dict[str, Any]:
    """Return what the trained weights depend on, by name, so that a change can be named."""
    settings = {name: value for name, value in config.as_dict().items() if name not in config.WITHOUT_EFFECT}
    # What the launcher chose belongs to the machine, as the device does: a checkpoint stays trained on another one.
    settings["mixed_precision"] = config.mixed_precision or "no"
    # A path counts by what lies there.
    return {**settings, **config.identity()}


def is_trained(config: LoopConfig) -> bool:
    """Return whether ``output`` holds a finished checkpoint of the same settings, data and starting weights.

    No model is loaded.

    Raises:
        BadInputError: an input is missing or unfinished.
    """
    output = config.output
    if not (output / TRAINING_SUMMARY).is_file() or not (output / config.checkpoint_file).is_file():
        return False
    summary = read_summary(config)
    asked, used = config.mixed_precision, summary.get("precision")
    return bool(summary.get("run_hash") == run_hash(config)) and (None in (asked, used) or asked == used)


def read_summary(config: LoopConfig) -> dict[str, Any]:
    """Return the content of a finished checkpoint's ``training.json``."""
    summary: dict[str, Any] = json.loads((config.output / TRAINING_SUMMARY).read_text())
    return summary
