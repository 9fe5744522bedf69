"""The stages that train editors: EditWorld's on the data set, InstructPix2Pix's on its own pairs and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from editfoundry.execution.stage_record import Stage, StageRequest
from editfoundry.pretrained.fitness import check_models
from editfoundry.profiles import load_profile
from editfoundry.synthesis.instruct_pix2pix.recipe import INSTRUCT_PIX2PIX_PAIRS, LINE


@dataclass(frozen=True)
class EditorLine:
    """What an editor of the lineage is trained from."""

    section: str
    """Of the parameters; also the stage's name."""
    role: str
    """Whose model it starts from; a text-to-image model is widened first."""
    dataset: str
    """Folder inside the source; empty for the source itself."""


FROM_EDITOR = EditorLine("editworld", "editor_base", "train")
FROM_PAINTER = EditorLine("instruct_pix2pix", "text_to_image", "")


def train_editor(
    request: StageRequest,
    num_processes: int | None = None,
    accelerate_config: Path | None = None,
    line: EditorLine = FROM_EDITOR,
) -> Path:
    """Fine-tune the model of the line's role with Accelerate, in processes of its own; return the checkpoint's folder.

    Args:
        request: its source is the data set.
        num_processes: as `launch_training` takes it.
        accelerate_config: likewise.
        line: which editor.

    Raises:
        BadInputError: a parameter is wrong, or the data set or the base cannot be used.
        TrainingError: anything else that the trainer could not go on from.
    """
    from editfoundry.editors.train import launch_training

    launch_training(write_training_config(request, line), num_processes, accelerate_config)
    return request.output


def write_training_config(request: StageRequest, line: EditorLine = FROM_EDITOR) -> Path:
    """Write the training configuration of an editor of the lineage, and return the file.

    Raises:
        BadInputError: a parameter is wrong.
    """
    import yaml

    check_training(request, line)
    config = request.root / ".cache" / f"{line.section}.yaml"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(yaml.safe_dump(training_values(request, line)))
    return config


def check_training(request: StageRequest, line: EditorLine = FROM_EDITOR) -> None:
    """Raise BadInputError where the section is no training configuration."""
    from editfoundry.editors.train import training_config

    check_models(load_profile(request.params.profile), (line.role,))
    training_config(training_values(request, line))


def training_values(request: StageRequest, line: EditorLine = FROM_EDITOR) -> dict[str, Any]:
    """Return the training configuration of an editor of the lineage as plain values: paths, and the section's own."""
    from editfoundry.tracking.mlflow_client import tracking_uri_of

    base, own = load_profile(request.params.profile).model(line.role), getattr(request.params, line.section)
    names_another = "editor" in own
    return {
        "editor": base.location,
        **({} if base.is_local or names_another else {"revision": base.revision}),
        "dataset": str(request.source / line.dataset),
        "output": str(request.output),
        "work_dir": str(request.root / ".cache" / "training"),
        "mlflow_tracking_uri": tracking_uri_of(request.root),
        **own,
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


INSTRUCT_PIX2PIX = Stage(
    name=FROM_PAINTER.section,
    group="checkpoints",
    output="checkpoints/instruct_pix2pix",
    inputs=(INSTRUCT_PIX2PIX_PAIRS.name,),
    doing="training InstructPix2Pix's editor",
    description="InstructPix2Pix's editor: the text-to-image model, widened to see a picture, trained on synthesized "
    "pairs and nothing else.",
    config=dict,
    run=partial(train_editor, line=FROM_PAINTER),
    check=partial(check_training, line=FROM_PAINTER),
    commands=(f"lineage run {FROM_PAINTER.section}",),
    loads_models=True,
    kinds=("pytorch", "huggingface"),
    draws_progress=True,
    line=LINE,
)
