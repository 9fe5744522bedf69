"""``accelerate launch -m editfoundry.training CONFIG``."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from editfoundry.errors import BadInputError
from editfoundry.training.dagster_messages import dagster_messages
from editfoundry.training.failures import TrainingError, TrainingInterrupted

OUTCOME_VARIABLE = "EDITFOUNDRY_TRAINING_OUTCOME"
"""Environment variable: a file that `launch` reads the reason of a failure from."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Train and return the exit status: 0 done, 2 bad input, 130 interrupted, 1 anything else."""
    parser = argparse.ArgumentParser(
        prog="python -m editfoundry.training",
        description="Fine-tune an editor; an interrupted run resumes.",
        epilog="Example: accelerate launch -m editfoundry.training configs/editworld.yaml",
    )
    parser.add_argument("config", type=Path, help="YAML or JSON file of training settings")
    path = parser.parse_args(arguments).config
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        with dagster_messages():
            _train(path)
    except BadInputError as error:
        return failed("bad input", 2, error)
    except TrainingError as error:
        return failed("failed", 1, error)
    except KeyboardInterrupt as error:
        return failed("interrupted", 130, error if isinstance(error, TrainingInterrupted) else "stopped")
    return 0


def _train(path: Path) -> None:
    from diffusers.utils.logging import disable_progress_bar as disable_diffusers_bars
    from transformers.utils.logging import disable_progress_bar as disable_transformers_bars

    from editfoundry.training.config import TrainingConfig
    from editfoundry.training.loop import train

    disable_diffusers_bars()
    disable_transformers_bars()
    train(TrainingConfig.from_file(path))


def failed(kind: str, status: int, message: object) -> int:
    """Print why training ended, leave it where `launch_training` looks, and return the exit status."""
    is_first_process = os.environ.get("RANK", "0") == "0"
    if is_first_process:
        print(f"{kind}: {message}", file=sys.stderr)
        if OUTCOME_VARIABLE in os.environ:
            Path(os.environ[OUTCOME_VARIABLE]).write_text(f"{kind}\n{message}")
    return status


if __name__ == "__main__":
    sys.exit(main())
