"""The command that paints inside a mask."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from editfoundry.cli.app import app
from editfoundry.cli.shared import DeviceOption, JsonOption, OptionOption, ProfileOption, parsed_options, print_facts
from editfoundry.errors import BadInputError


@app.command()
def inpaint(
    photo: Annotated[Path, typer.Argument(help="Any photograph: JPEG, PNG, WebP, GIF, TIFF, BMP.")],
    mask_and_prompt: Annotated[
        list[str],
        typer.Argument(
            metavar="[MASK] PROMPT",
            help="Picture of the same size, white where to paint (leave it out with --box and --what); and what is to "
            "be there.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="Where the picture goes; PNG keeps all else bit by bit.")],
    box: Annotated[str | None, typer.Option(help="In the place of MASK: x0,y0,x1,y1 in pixels.")] = None,
    what: Annotated[
        str | None, typer.Option(help='In the place of MASK: what to paint over, in words, such as "the cup".')
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(min=0, max=1, help="With --what: how sure the detector must be; by default 0.3.")
    ] = None,
    invert: Annotated[bool, typer.Option("--invert", help="MASK is black where to paint.")] = False,
    editor: Annotated[
        str | None,
        typer.Option(
            help="Diffusers folder of an inpainting pipeline, of Stable Diffusion, SDXL or our cascade; by default the "
            "profile's inpainter, or without one its text_to_image, with blended latents."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the noise.")] = 0,
    num_inference_steps: Annotated[
        int | None, typer.Option(min=1, max=1000, help="Sampler steps; by default the editor's own, or 50.")
    ] = None,
    guidance_scale: Annotated[
        float | None, typer.Option(help="Weight of the prompt; by default the editor's own, or 7.5.")
    ] = None,
    context: Annotated[
        float | None,
        typer.Option(min=0, help="Surroundings that are seen, as a share of the mask's longer side; by default 0.5."),
    ] = None,
    option: OptionOption = None,
    profile: ProfileOption = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Paint inside a mask, and nowhere else. Example: editfoundry inpaint photo.jpg mask.png "a red cup" --out cup.png."""  # noqa: E501
    from editfoundry.editors.chosen_editor import ChosenEditor
    from editfoundry.editors.inpaint_file import MaskWords, inpaint_file

    for name, value in (("--box", box), ("--what", what)):
        if value is not None and not value.strip():
            raise BadInputError(f"{name} is empty: say where to paint, or leave it out and give MASK")
    if box and what:
        raise BadInputError("--box and --what both say where to paint: give one of them")
    has_no_file = bool(box or what)
    wanted = "PROMPT alone" if has_no_file else "MASK and PROMPT"
    if len(mask_and_prompt) != (1 if has_no_file else 2):
        raise BadInputError(
            f"inpaint takes {wanted} after PHOTO, but got {len(mask_and_prompt)} arguments: quote PROMPT"
        )
    if has_no_file and invert:
        raise BadInputError("--invert is for a mask file: leave it out with --box and --what")
    if threshold is not None and not what:
        raise BadInputError("--threshold is for --what: leave it out")
    named = MaskWords(words=what or "", **({} if threshold is None else {"threshold": threshold}))
    options = {
        "num_inference_steps": num_inference_steps,
        "guidance_scale": guidance_scale,
        "context": context,
        **parsed_options(option),
    }
    used = inpaint_file(
        photo,
        named if what else box or Path(mask_and_prompt[0]),
        mask_and_prompt[-1],
        out,
        ChosenEditor(name=editor, profile=profile or "embedded", device=device, options=options),
        seed=seed,
        is_inverted=invert,
    )
    print_facts({"out": str(out), "editor": used}, as_json)
