"""Commands that train and use editors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from editfoundry.cli.app import app
from editfoundry.cli.shared import (
    DeviceOption,
    JsonOption,
    OptionOption,
    ProfileOption,
    chosen_params,
    parse_numbers,
    parsed_options,
    print_facts,
)
from editfoundry.data.edit_tasks import TASK_NAMES
from editfoundry.editors.open_editor import own_names
from editfoundry.errors import BadInputError


@app.command()
def train(
    config: Annotated[Path, typer.Argument(help="Training configuration, or params.yaml with a section editworld.")],
    profile: ProfileOption = None,
    num_processes: Annotated[int | None, typer.Option(help="Processes; by default one for each GPU.")] = None,
    accelerate_config: Annotated[
        Path | None, typer.Option(help="Configuration of accelerate launch, as in infra/accelerate.")
    ] = None,
    invert_task: Annotated[
        str | None,
        typer.Option(
            help="Learn one more task of this name from the data set's few examples; the editor, one of the family "
            "emu_edit, stays as it is. Leaves OUTPUT/NAME.safetensors, which editfoundry edit --task takes."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Fine-tune an editor with Accelerate; resumes what was interrupted. Example: editfoundry train params.yaml."""
    from editfoundry.editors.train import launch_training, read_training_config
    from editfoundry.lineage.editor_stage import EDITWORLD, train_editor
    from editfoundry.lineage.stages import check_params, stage_request

    if _holds_lineage(config):
        if invert_task is not None:
            raise BadInputError(f"--invert-task needs a training's own file with family: emu_edit, not {config}")
        chosen, root = chosen_params(config, profile), config.resolve().parent
        check_params(chosen, root, config, [EDITWORLD])
        output = train_editor(stage_request(EDITWORLD.name, chosen, root), num_processes, accelerate_config)
    elif profile is not None:
        raise BadInputError(f"--profile needs a params.yaml; {config} names its editor itself")
    else:
        output = read_training_config(config, invert_task).output
        launch_training(config, num_processes, accelerate_config, invert_task)
    training = json.loads((output / "training.json").read_text())
    facts = {k: training[k] for k in ("num_steps", "final_loss", "seconds", "samples_per_second") if k in training}
    print_facts({"checkpoint": str(output), **facts}, as_json)


_EditorOption = Annotated[
    str | None,
    typer.Option(
        help="Diffusers folder of any pipeline that takes an image and a prompt, package:NAME of a shipped one, a "
        f"registered model NAME@ALIAS, or one of {', '.join(own_names())}; by default checkpoints/editworld or the "
        "profile's base."
    ),
]


@app.command()
def edit(
    image: Annotated[Path, typer.Argument(help="Any photograph: JPEG, PNG, WebP, GIF, TIFF, BMP.")],
    instruction: Annotated[str, typer.Argument(help="What to do, in words.")],
    out: Annotated[Path, typer.Option(help="Where the edited picture goes.")],
    editor: _EditorOption = None,
    seed: Annotated[int, typer.Option(help="Seed of the noise.")] = 0,
    num_inference_steps: Annotated[
        int | None, typer.Option(min=1, max=1000, help="Sampler steps; by default the editor's own, or 100.")
    ] = None,
    guidance_scale: Annotated[
        float | None, typer.Option(help="Weight of the instruction; by default the editor's own, or 7.5.")
    ] = None,
    image_guidance_scale: Annotated[
        float | None, typer.Option(help="Weight of the input picture; by default the editor's own, or 1.5.")
    ] = None,
    guidance_rescale: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Share of guidance brought back to the plain spread; 0.7 is usual."),
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="Sampler, by diffusers' name: ddim, euler-ancestral, unipc-multistep.")
    ] = None,
    option: OptionOption = None,
    input_caption: Annotated[
        str | None, typer.Option(help="What the picture shows, for editors that edit by captions.")
    ] = None,
    output_caption: Annotated[
        str | None, typer.Option(help="What the edit must show, for editors that edit by captions.")
    ] = None,
    mask: Annotated[
        Path | None, typer.Option(help="Picture of the same size, white where to edit, for editors that need one.")
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(
            help="Kind of edit, for editors of the family emu_edit: one of "
            f"{', '.join(TASK_NAMES)}; or a learnt task: its name or path. By default the one that the profile's "
            "task_predictor names, if it has one; --option task=none edits without."
        ),
    ] = None,
    then: Annotated[
        list[str] | None,
        typer.Option(help="Instruction of one more turn, which edits what the turn before made; may be repeated."),
    ] = None,
    keep_below: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="Keep a turn's input pixel where the low-passed RGB difference is below this; by default 0.03 with "
            "--then, and none kept without.",
        ),
    ] = None,
    post_edit: Annotated[bool, typer.Option("--post-edit", help="Change only what the instruction is about.")] = False,
    explain: Annotated[
        Path | None,
        typer.Option(
            help="Folder that gets every step of the post-edit as a picture, and implies --post-edit; of an editor "
            "that explains itself, its words: MGIE's, or the task of an emu_edit editor."
        ),
    ] = None,
    profile: ProfileOption = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Edit a picture. Example: editfoundry edit photo.jpg "It starts to rain." --out rain.png."""
    from editfoundry.editors.chosen_editor import ChosenEditor
    from editfoundry.editors.edit_file import edit_file

    options = {
        "num_inference_steps": num_inference_steps,
        "guidance_scale": guidance_scale,
        "image_guidance_scale": image_guidance_scale,
        "guidance_rescale": guidance_rescale,
        "scheduler": scheduler,
        **parsed_options(option),
    }
    chosen = ChosenEditor(
        name=_editor_name(editor, profile), profile=profile or "embedded", device=device, options=options
    )
    edited = edit_file(
        image,
        instruction,
        out,
        chosen,
        seed=seed,
        mask=mask,
        input_caption=input_caption,
        output_caption=output_caption,
        task=task,
        post_edit=post_edit,
        explain=explain,
        later=then or (),
        keep_below=keep_below,
    )
    said = {} if edited.words is None else {"words": edited.words.text}
    if edited.words is not None and edited.words.note:
        said["words_note"] = edited.words.note
    shown = {} if explain is None or said else {"steps": str(explain / "sheet.png")}
    print_facts({"out": str(out), "editor": edited.editor, **said, **shown}, as_json)


@app.command()
def sweep(
    image: Annotated[Path, typer.Argument(help="Any photograph.")],
    instruction: Annotated[str, typer.Argument(help="What to do, in words.")],
    out: Annotated[Path, typer.Option(help="Where the sheet of edits goes.")],
    editor: Annotated[str | None, typer.Option(help="Editor with two guidance scales, as of editfoundry edit.")] = None,
    guidance_scales: Annotated[str, typer.Option(help="s_T of each row.")] = "7.5",
    image_guidance_scales: Annotated[
        str, typer.Option(help="s_I of each column; the paper's by default.")
    ] = "1,1.2,1.4,1.6,1.8,2,2.2",
    num_inference_steps: Annotated[
        int | None, typer.Option(min=1, max=1000, help="Sampler steps; by default the editor's own, or 100.")
    ] = None,
    option: OptionOption = None,
    seed: Annotated[int, typer.Option(help="Seed of the noise.")] = 0,
    profile: ProfileOption = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Edit at each pair of guidance scales. Example: editfoundry sweep photo.jpg "It snows." --out sheet.png."""
    from editfoundry.editors.chosen_editor import ChosenEditor
    from editfoundry.editors.edit_file import sweep_file

    options = {"num_inference_steps": num_inference_steps, **parsed_options(option)}
    used = sweep_file(
        image,
        instruction,
        out,
        ChosenEditor(name=editor, profile=profile or "embedded", device=device, options=options),
        guidance_scales=parse_numbers("guidance-scales", guidance_scales),
        image_guidance_scales=parse_numbers("image-guidance-scales", image_guidance_scales),
        seed=seed,
    )
    print_facts({"out": str(out), "editor": used}, as_json)


def _editor_name(editor: str | None, profile: str | None) -> str | None:
    """Return the editor that is meant: where nothing is said, the one that the lineage has trained here."""
    from editfoundry.lineage.stages import Paths

    trained = Paths(Path.cwd()).editworld
    is_there = editor is None and profile is None and (trained / "model_index.json").is_file()
    return str(trained) if is_there else editor


def _holds_lineage(config: Path) -> bool:
    from editfoundry.data.untrusted import read_yaml

    values = read_yaml(config)
    return isinstance(values, dict) and "editworld" in values
