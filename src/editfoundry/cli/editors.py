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
    ProfileOption,
    chosen_params,
    one_line,
    parse_numbers,
    print_facts,
)
from editfoundry.errors import BadInputError


@app.command()
def train(
    config: Annotated[Path, typer.Argument(help="Training configuration, or params.yaml with a section editworld.")],
    profile: ProfileOption = None,
    num_processes: Annotated[int | None, typer.Option(help="Processes; by default one for each GPU.")] = None,
    accelerate_config: Annotated[
        Path | None, typer.Option(help="Configuration of accelerate launch, as in infra/accelerate.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Fine-tune an editor with Accelerate; resumes what was interrupted. Example: editfoundry train params.yaml."""
    from editfoundry.editors.train import launch_training, read_training_config
    from editfoundry.lineage.stages import editworld

    if _holds_lineage(config):
        output = editworld(
            chosen_params(config, profile), config.resolve().parent, num_processes=num_processes,
            accelerate_config=accelerate_config,
        )  # fmt: skip
    elif profile is not None:
        raise BadInputError(f"--profile needs a params.yaml; {config} names its editor itself")
    else:
        output = read_training_config(config).output
        launch_training(config, num_processes, accelerate_config)
    training = json.loads((output / "training.json").read_text())
    facts = {k: training[k] for k in ("num_steps", "final_loss", "seconds", "samples_per_second") if k in training}
    print_facts({"checkpoint": str(output), **facts}, as_json)


@app.command()
def edit(
    image: Annotated[Path, typer.Argument(help="Any photograph: JPEG, PNG, WebP, GIF, TIFF, BMP.")],
    instruction: Annotated[str, typer.Argument(help="What to do, in words.")],
    out: Annotated[Path, typer.Option(help="Where the edited picture goes.")],
    editor: Annotated[
        str | None,
        typer.Option(
            help="Diffusers folder of any pipeline that takes an image and a prompt, package:NAME of a shipped one, or "
            "a registered model NAME@ALIAS; by default checkpoints/editworld or the profile's base."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the noise.")] = 0,
    num_inference_steps: Annotated[
        int | None, typer.Option(min=1, max=1000, help="Sampler steps; InstructPix2Pix: 100.")
    ] = None,
    guidance_scale: Annotated[
        float | None, typer.Option(help="Weight of the instruction; InstructPix2Pix: 7.5.")
    ] = None,
    image_guidance_scale: Annotated[
        float | None, typer.Option(help="Weight of the input picture; InstructPix2Pix: 1.5.")
    ] = None,
    guidance_rescale: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Share of guidance brought back to the plain spread; 0.7 is usual."),
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="Sampler, by diffusers' name: ddim, euler-ancestral, unipc-multistep.")
    ] = None,
    post_edit: Annotated[bool, typer.Option("--post-edit", help="Change only what the instruction is about.")] = False,
    explain: Annotated[
        Path | None,
        typer.Option(help="Folder that gets every step of the post-edit as a picture; implies --post-edit."),
    ] = None,
    profile: ProfileOption = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Edit a picture. Example: editfoundry edit photo.jpg "It starts to rain." --out rain.png."""
    from editfoundry.editors.edit_file import edit_file
    from editfoundry.lineage.stages import Paths

    lineage_editor = Paths(Path.cwd()).editworld
    if editor is None and (lineage_editor / "model_index.json").is_file() and profile is None:
        editor = str(lineage_editor)
    used = edit_file(
        image, instruction, out, editor=editor, profile=profile or "embedded", device=device, seed=seed,
        post_edit=post_edit, explain=explain, num_inference_steps=num_inference_steps, guidance_scale=guidance_scale,
        image_guidance_scale=image_guidance_scale, guidance_rescale=guidance_rescale, scheduler=scheduler,
    )  # fmt: skip
    shown = {} if explain is None else {"steps": str(explain / "sheet.png")}
    print_facts({"out": str(out), "editor": used, **shown}, as_json)


@app.command()
def sweep(
    image: Annotated[Path, typer.Argument(help="Any photograph.")],
    instruction: Annotated[str, typer.Argument(help="What to do, in words.")],
    out: Annotated[Path, typer.Option(help="Where the sheet of edits goes.")],
    editor: Annotated[str | None, typer.Option(help="InstructPix2Pix editor, as of editfoundry edit.")] = None,
    guidance_scales: Annotated[str, typer.Option(help="s_T of each row.")] = "7.5",
    image_guidance_scales: Annotated[
        str, typer.Option(help="s_I of each column; the paper's by default.")
    ] = "1,1.2,1.4,1.6,1.8,2,2.2",
    num_inference_steps: Annotated[int, typer.Option(min=1, max=1000, help="Sampler steps.")] = 100,
    seed: Annotated[int, typer.Option(help="Seed of the noise.")] = 0,
    profile: ProfileOption = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Edit at each pair of guidance scales. Example: editfoundry sweep photo.jpg "It snows." --out sheet.png."""
    from editfoundry.editors.edit_file import sweep_file

    used = sweep_file(
        image, instruction, out, editor=editor, profile=profile or "embedded", device=device, seed=seed,
        guidance_scales=parse_numbers("guidance-scales", guidance_scales),
        image_guidance_scales=parse_numbers("image-guidance-scales", image_guidance_scales),
        num_inference_steps=num_inference_steps,
    )  # fmt: skip
    print_facts({"out": str(out), "editor": used}, as_json)


def _holds_lineage(config: Path) -> bool:
    import yaml

    try:
        values = yaml.safe_load(config.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadInputError(f"{config}: cannot be read as YAML: {one_line(error)}") from error
    return isinstance(values, dict) and "editworld" in values
