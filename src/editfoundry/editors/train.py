"""Trains any family of editors: ``accelerate launch -m editfoundry.editors.train CONFIG``.

``CONFIG`` is one flat YAML or JSON file. Its key ``family`` says which family's editor is trained; its other keys are
the fields of that family's configuration, those of the loop included.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from editfoundry.data.atomic import restore_folder
from editfoundry.editors.editor_family import FamilyTraining, TrainingMemory
from editfoundry.editors.families import FAMILIES
from editfoundry.errors import BadInputError
from editfoundry.training.dagster_messages import dagster_messages
from editfoundry.training.ending import reporting_outcome
from editfoundry.training.fingerprint import is_trained, read_summary
from editfoundry.training.launch import launch_module
from editfoundry.training.loop_config import LoopConfig
from editfoundry.training.owners import ending_with_owners
from editfoundry.training.settings_file import config_from, read_settings

MODULE = "editfoundry.editors.train"


DEFAULT_FAMILY = "instruct_pix2pix"
"""Family of a configuration that names none."""


def trainings() -> dict[str, FamilyTraining]:
    """Return the families whose editors can be trained, by the name that ``family`` of a configuration takes."""
    return {family.name: family.training for family in FAMILIES if family.training is not None}


def training_config(values: Mapping[str, Any]) -> LoopConfig:
    """Return the configuration that a file's ``values`` are, of the family that they name.

    Raises:
        BadInputError: the family, a name or a value is wrong.
    """
    settings = dict(values)
    known, family = trainings(), settings.pop("family", DEFAULT_FAMILY)
    if not isinstance(family, str) or family not in known:
        raise BadInputError(f"family is {family!r}, but must be one of {', '.join(known)}")
    training = known[family]
    if settings.get("invert_task") is not None:
        if training.inversion is None:
            able = ", ".join(name for name, one in known.items() if one.inversion is not None)
            raise BadInputError(f"invert_task is set, but editors of the family {family} have no tasks: use {able}")
        training = training.inversion
    return config_from(training.config_class, settings)


def read_training_config(path: Path, invert_task: str | None = None) -> LoopConfig:
    """Read a training's file; ``invert_task`` names the task to learn in the place of what the file says of it.

    Raises:
        BadInputError: the file is missing, is not a mapping, or a key or value is wrong.
    """
    values = read_settings(path)
    if invert_task is not None:
        values = {**values, "invert_task": invert_task}
    try:
        return training_config(values)
    except BadInputError as error:
        raise BadInputError(f"{path}: {error}") from error


def training_memory(config: LoopConfig, num_processes: int = 1) -> list[TrainingMemory]:
    """Return what a GPU needs for a training, in rows with one memory-saving setting more each.

    Raises:
        BadInputError: the family cannot say.
    """
    told = next((family.memory for family in trainings().values() if family.config_class is type(config)), "")
    if not told:
        raise BadInputError("only of a training of the family mgie is it known what it needs; see editfoundry doctor")
    module, _, function = told.partition(":")
    rows: list[TrainingMemory] = getattr(import_module(module), function)(config, num_processes)
    return rows


def train_editor(config: LoopConfig, should_stop: Callable[[], bool] | None = None) -> dict[str, Any]:
    """Train in this process, see `training.loop.train`; return the content of ``training.json``."""
    from editfoundry.training.loop import train

    known = [one for family in trainings().values() for one in (family, family.inversion) if one is not None]
    [trainee] = [one.trainee for one in known if one.config_class is type(config)]
    module, _, name = trainee.partition(":")
    return train(config, getattr(import_module(module), name).load, should_stop)


def launch_training(
    config_path: Path,
    num_processes: int | None = None,
    accelerate_config: Path | None = None,
    invert_task: str | None = None,
) -> dict[str, Any]:
    """Train in processes of their own, see `training.launch.launch_module`; none is started for what is there already.

    Returns:
        The content of the finished checkpoint's ``training.json``.

    Raises:
        BadInputError: the configuration, the data set or the editor cannot be used.
        TrainingInterrupted: stopped by a signal; running it again resumes.
        TrainingError: anything else; the message says what.
    """
    config = read_training_config(config_path, invert_task)
    config.check_output()
    restore_folder(config.output)
    if not is_trained(config):
        told = [] if invert_task is None else ["--invert-task", invert_task]
        launch_module(MODULE, config_path, config.output, num_processes, accelerate_config, told)
    return read_summary(config)


def main(arguments: Sequence[str] | None = None) -> int:
    """Train or launch, and return the exit status: 0 done, 2 bad input, 130 interrupted, 1 anything else."""
    parser = argparse.ArgumentParser(
        prog=f"python -m {MODULE}",
        description="Train an editor; an interrupted run resumes.",
        epilog=f"Example: accelerate launch -m {MODULE} configs/editworld.yaml",
    )
    parser.add_argument("config", type=Path, help="YAML or JSON file of training settings")
    parser.add_argument("--launch", action="store_true", help="train in processes that are started for it")
    parser.add_argument("--num-processes", type=int, help="with --launch: how many; by default one for each GPU")
    parser.add_argument("--invert-task", help="learn one more task of this name; the editor stays as it is")
    told = parser.parse_args(arguments)
    if told.launch:
        # Without its owners a trainer saves and ends by itself; to be told so by this process too would end it at once.
        return reporting_outcome(lambda: launch_training(told.config, told.num_processes, None, told.invert_task))
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    with ending_with_owners():
        return reporting_outcome(lambda: _train_here(told.config, told.invert_task))


def _train_here(path: Path, invert_task: str | None) -> None:
    from diffusers.utils.logging import disable_progress_bar as disable_diffusers_bars
    from transformers.utils.logging import disable_progress_bar as disable_transformers_bars

    disable_diffusers_bars()
    disable_transformers_bars()
    with dagster_messages():
        train_editor(read_training_config(path, invert_task))


if __name__ == "__main__":
    sys.exit(main())
