"""Tells, without loading a model, whether a checkpoint is already what its configuration asks for."""

from __future__ import annotations

import json

from editfoundry.training.config import TrainingConfig
from editfoundry.training.fingerprint import run_hash

STAGE = "training"
SUMMARY_NAME = "training.json"


def is_trained(config: TrainingConfig) -> bool:
    """Return whether ``config.output`` holds a finished checkpoint of the same settings, data and starting weights.

    Raises:
        BadInputError: the data set has no finished shards.
    """
    summary = config.output / SUMMARY_NAME
    if not summary.is_file() or not (config.output / "model_index.json").is_file():
        return False
    stored = json.loads(summary.read_text())
    return bool(stored.get("run_hash") == run_hash(config))
