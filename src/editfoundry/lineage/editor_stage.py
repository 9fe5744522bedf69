"""The stages that train editors: EditWorld's on the data set, and each other line's on the line's own data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from editfoundry.execution.stage_record import Stage, StageRequest
from editfoundry.pretrained.fitness import check_models
from editfoundry.profiles import load_profile
from editfoundry.sources.captioned_picture_stage import CAPTIONED_PICTURES
from editfoundry.synthesis.emu_edit.recipe import EMU_EDIT_PAIRS
from editfoundry.synthesis.expressive.recipe import EXPRESSIVE
from editfoundry.synthesis.instruct_pix2pix.recipe import INSTRUCT_PIX2PIX_PAIRS


@dataclass(frozen=True, kw_only=True)
class EditorLine:
    """What an editor of the lineage is trained from."""

    section: str
    """Of the parameters; also the stage's name."""
    roles: Mapping[str, str]
    """Setting of the training -> role whose model it names: ``editor``, what it starts from, and others of a family."""
    dataset: str = ""
    """Folder inside the source; empty for the source itself."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Of the training, where the section has none."""
    asks_profile: bool = False
    """Whether the family takes the project's profile, and asks more of its models."""


EDITWORLD_LINE = EditorLine(section="editworld", roles={"editor": "editor_base"}, dataset="train")
INSTRUCT_PIX2PIX_LINE = EditorLine(section="instruct_pix2pix", roles={"editor": "text_to_image"})
EMU_EDIT_LINE = EditorLine(section="emu_edit", roles={"editor": "editor_base"}, settings={"family": "emu_edit"})
MGIE_LINE = EditorLine(
    section="mgie",
    roles={"editor": "editor_base", "mllm": "vision_language_model"},
    settings={"family": "mgie", "expressive_field": "expressive_instruction"},
)
IMAGEN_EDITOR_LINE = EditorLine(
    section="imagen_editor", roles={"editor": "text_to_image"}, settings={"family": "inpainting"}, asks_profile=True
)


def train_editor(
    request: StageRequest,
    num_processes: int | None = None,
    accelerate_config: Path | None = None,
    line: EditorLine = EDITWORLD_LINE,
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


def write_training_config(request: StageRequest, line: EditorLine = EDITWORLD_LINE) -> Path:
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


def check_training(request: StageRequest, line: EditorLine = EDITWORLD_LINE) -> None:
    """Raise BadInputError where the section is no training configuration, or a model that it takes is not there."""
    from editfoundry.editors.train import training_config

    profile = load_profile(request.params.profile)
    check_models(profile, line.roles.values())
    config = training_config(training_values(request, line))
    check_models(profile, config.roles)


def training_values(request: StageRequest, line: EditorLine = EDITWORLD_LINE) -> dict[str, Any]:
    """Return the training configuration of an editor of the lineage as plain values: paths, and the section's own."""
    from editfoundry.tracking.mlflow_client import tracking_uri_of

    own = getattr(request.params, line.section)
    return {
        **_models(request, line, own),
        "dataset": str(request.source / line.dataset),
        "output": str(request.output),
        "work_dir": str(request.root / ".cache" / "training"),
        "mlflow_tracking_uri": tracking_uri_of(request.root),
        **line.settings,
        **({"profile": request.params.profile} if line.asks_profile else {}),
        **own,
    }


def _models(request: StageRequest, line: EditorLine, own: Mapping[str, Any]) -> dict[str, str]:
    """Return the models of the line's roles, with revisions, but of those for which the section names another."""
    profile, values = load_profile(request.params.profile), {}
    for setting, role in line.roles.items():
        model = profile.model(role)
        values[setting] = model.location
        if not model.is_local and setting not in own:
            values["revision" if setting == "editor" else f"{setting}_revision"] = model.revision
    return values


def _checkpoint(
    editor: EditorLine, source: str, doing: str, description: str, line: str = "", command: str = ""
) -> Stage:
    return Stage(
        name=editor.section,
        group="checkpoints",
        output=f"checkpoints/{editor.section}",
        inputs=(source,),
        doing=doing,
        description=description,
        config=dict,
        run=partial(train_editor, line=editor),
        check=partial(check_training, line=editor),
        commands=(command or f"lineage run {editor.section}",),
        loads_models=True,
        kinds=("pytorch", "huggingface"),
        draws_progress=True,
        line=line,
    )


EDITWORLD = _checkpoint(
    EDITWORLD_LINE,
    "dataset",
    doing="fine-tuning the editor",
    description="The lineage's editor: the base editor fine-tuned on the data set with Accelerate, in a process of its "
    "own.",
    command="train params.yaml",
)
INSTRUCT_PIX2PIX = _checkpoint(
    INSTRUCT_PIX2PIX_LINE,
    INSTRUCT_PIX2PIX_PAIRS.name,
    doing="training InstructPix2Pix's editor",
    description="InstructPix2Pix's editor: the text-to-image model, widened to see a picture, trained on synthesized "
    "pairs and nothing else.",
    line=INSTRUCT_PIX2PIX_PAIRS.line,
)
EMU_EDIT = _checkpoint(
    EMU_EDIT_LINE,
    EMU_EDIT_PAIRS.name,
    doing="training Emu Edit's editor",
    description="Emu Edit's editor: the base editor with a table of tasks, trained on the pairs of all tasks.",
    line=EMU_EDIT_PAIRS.line,
)
MGIE = _checkpoint(
    MGIE_LINE,
    EXPRESSIVE.name,
    doing="training MGIE's editor",
    description="MGIE's editor: the base editor led by the vision-language model, which learns to say what an edit "
    "will look like.",
    line=EXPRESSIVE.line,
)
IMAGEN_EDITOR = _checkpoint(
    IMAGEN_EDITOR_LINE,
    CAPTIONED_PICTURES.name,
    doing="training Imagen Editor's inpainter",
    description="Imagen Editor's inpainter: the text-to-image model, widened to see a picture with a hole, trained "
    "with the masks of the things that captions name.",
    line=CAPTIONED_PICTURES.line,
)
EDITOR_LINES = {
    line.section: line for line in (EDITWORLD_LINE, INSTRUCT_PIX2PIX_LINE, EMU_EDIT_LINE, MGIE_LINE, IMAGEN_EDITOR_LINE)
}
"""What an editor is trained from, by its stage's name."""
