"""The stage ``editworld``: the lineage's editor, fine-tuned on the data set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from editfoundry.execution.stage_record import Stage, StageRequest
from editfoundry.pretrained.fitness import check_models
from editfoundry.profiles import load_profile


def train_editor(
    request: StageRequest, num_processes: int | None = None, accelerate_config: Path | None = None
) -> Path:
    """Fine-tune the profile's ``editor_base`` with Accelerate, in processes of its own; return the checkpoint's folder.

    Args:
        request: its source is the data set.
        num_processes: as `launch_training` takes it.
        accelerate_config: likewise.

    Raises:
        BadInputError: a parameter is wrong, or the data set or the base cannot be used.
        TrainingError: anything else that the trainer could not go on from.
    """
    from editfoundry.editors.train import launch_training

    launch_training(write_training_config(request), num_processes, accelerate_config)
    return request.output


def write_training_config(request: StageRequest) -> Path:
    """Write the training configuration of the lineage's editor, and return the file.

    Raises:
        BadInputError: a parameter is wrong.
    """
    import yaml

    check_training(request)
    config = request.root / ".cache" / "editworld.yaml"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(yaml.safe_dump(training_values(request)))
    return config


def check_training(request: StageRequest) -> None:
    """Raise BadInputError where the section is no training configuration."""
    from editfoundry.editors.train import training_config

    check_models(load_profile(request.params.profile), ("editor_base",))
    training_config(training_values(request))


def training_values(request: StageRequest) -> dict[str, Any]:
    """Return the training configuration of the lineage's editor as plain values: paths, and the section's own."""
    from editfoundry.tracking.mlflow_client import tracking_uri_of

    base = load_profile(request.params.profile).model("editor_base")
    return {
        "editor": base.location,
        **({} if base.is_local else {"revision": base.revision}),
        "dataset": str(request.source / "train"),
        "output": str(request.output),
        "work_dir": str(request.root / ".cache" / "training"),
        "mlflow_tracking_uri": tracking_uri_of(request.root),
        **request.params.editworld,
    }


EDITWORLD = Stage(
    name="editworld",
    group="checkpoints",
    output="checkpoints/editworld",
    inputs=("dataset",),
    doing="fine-tuning the editor",
    description="The lineage's editor: the base editor fine-tuned on the data set with Accelerate, in a process of its "
    "own.",
    config=dict,
    run=train_editor,
    check=check_training,
    commands=("train params.yaml",),
    loads_models=True,
    kinds=("pytorch", "huggingface"),
    draws_progress=True,
)
