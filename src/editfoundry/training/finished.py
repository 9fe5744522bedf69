"""Puts a finished checkpoint in the place of whatever an earlier run left there."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence

from torch import Tensor

from editfoundry.data.atomic import atomic_folder
from editfoundry.tracking.model_registry import TRAINING_SUMMARY
from editfoundry.training.history import History
from editfoundry.training.loop_config import LoopConfig
from editfoundry.training.precision import Precision
from editfoundry.training.sample_pictures import FOLDER as SAMPLES_FOLDER
from editfoundry.training.trainee import Trainee


def save_finished(
    config: LoopConfig,
    trainee: Trainee,
    history: History,
    precision: Precision,
    whole: Sequence[Mapping[str, Tensor]] | None,
) -> None:
    """Write the trained model, its summary and the pictures made on the way; ``whole`` as of `Trainee.save`."""
    summary = {
        "run_hash": history.run_hash,
        **trainee.facts(),
        **precision.facts(),
        **history.summary(config.batch_size, config.log_every),
        "config": config.as_dict(),
    }
    with atomic_folder(config.output, config.STAGE) as partial:
        if (config.output / SAMPLES_FOLDER).is_dir():
            shutil.copytree(config.output / SAMPLES_FOLDER, partial / SAMPLES_FOLDER)
        trainee.save(partial, whole)
        (partial / TRAINING_SUMMARY).write_text(json.dumps(summary, indent=2) + "\n")
