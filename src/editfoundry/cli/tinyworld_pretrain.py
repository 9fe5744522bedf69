"""The command that trains the embedded models."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from editfoundry.cli.app import tinyworld_app
from editfoundry.cli.shared import (
    DeviceOption,
    JsonOption,
    print_facts,
)
from editfoundry.errors import BadInputError
from editfoundry.pretraining.card import CONTROLS, PRETRAININGS


class Masking(StrEnum):
    """Training masks of Imagen Editor."""

    OBJECT = "object"
    RANDOM = "random"


class Downsampling(StrEnum):
    """How Imagen Editor's smaller models see picture and mask."""

    LEARNED = "learned"
    BICUBIC = "bicubic"


@tinyworld_app.command("pretrain")
def tinyworld_pretrain(
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL...",
            help=f"{', '.join(PRETRAININGS)}; all, or several, which are trained in this order and, on a GPU, beside "
            f"each other. diffusion gives text_to_image and editor_base. all leaves out {', '.join(CONTROLS)}, "
            "which a shipped model is only compared with, and vae_decoder, which gives the shipped autoencoder a "
            "better decoder.",
        ),
    ],
    work_dir: Annotated[Path, typer.Option(help="Cache, checkpoints, logs and MLflow log.")] = Path(".pretrain"),
    out: Annotated[Path | None, typer.Option(help="Folder of the models; by default the package's own.")] = None,
    num_steps: Annotated[
        int | None, typer.Option(min=1, help="Optimizer steps; by default those of the shipped model.")
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(min=0, help="Time for everything, over the end of which no training runs.")
    ] = None,
    continue_shipped: Annotated[
        bool,
        typer.Option(
            help="Train what is shipped on: vae, diffusion, language_model, detector, depth, editworld, emu_edit, "
            "inpainter or mgie; of several, vae, diffusion and the editors, which move to the new autoencoder."
        ),
    ] = False,
    track: Annotated[bool, typer.Option(help="Write MLflow's log into the work folder.")] = True,
    num_examples: Annotated[
        int | None, typer.Option(min=1, help="Pictures, pairs or edits to learn from; by default each model's own.")
    ] = None,
    learning_rate: Annotated[
        float | None,
        typer.Option(min=0, help="Peak rate of the one model that is named; by default the recipe's own."),
    ] = None,
    kept_share: Annotated[
        float,
        typer.Option(
            min=0,
            max=1,
            help="Of the one model that --continue-shipped trains on: share of its weights of before in the average "
            "that is shipped.",
        ),
    ] = 0.0,
    masking: Annotated[
        Masking | None, typer.Option(help="Of imagen_editor alone: masks of what is named, or random ones.")
    ] = None,
    downsampling: Annotated[
        Downsampling | None, typer.Option(help="Of imagen_editor alone: how it sees picture and mask.")
    ] = None,
    ends_at: Annotated[float | None, typer.Option(hidden=True)] = None,
    share: Annotated[bool, typer.Option(hidden=True)] = True,
    only_draw: Annotated[bool, typer.Option(hidden=True)] = False,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Train embedded models; resumes where it stopped. Example: editfoundry tinyworld pretrain all --minutes 10."""
    import logging
    import os
    import time

    from editfoundry.pretraining.pretrain import DRAWING_NICENESS, draw_pictures, pretrain
    from editfoundry.pretraining.suite import Suite
    from editfoundry.profiles import EMBEDDED_FOLDER
    from editfoundry.training.owners import ending_with_owners

    into = out or EMBEDDED_FOLDER
    told = {"masking": masking, "downsampling": downsampling}
    settings: dict[str, Any] = {name: str(value) for name, value in told.items() if value is not None}
    if settings and models != ["imagen_editor"]:
        raise BadInputError(f"--{next(iter(settings))} is of imagen_editor: name that model alone, or leave it out")
    if learning_rate is not None:
        settings["learning_rate"] = learning_rate
    if models == ["all"] or len(models) > 1:
        for option, value in (("--learning-rate", learning_rate), ("--kept-share", kept_share)):
            if value:
                raise BadInputError(f"{option} is of one model: name that model alone, or leave it out")
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
        suite = Suite(
            work_dir=work_dir,
            out=into,
            device=device,
            minutes=minutes,
            only=() if models == ["all"] else models,
            num_steps=num_steps,
            num_examples=num_examples,
            continue_shipped=continue_shipped,
            is_tracked=track,
        )
        print_facts(suite.run(), as_json)
        return
    if minutes is not None:
        ends_at = time.time() + 60 * minutes
    with ending_with_owners():
        if only_draw:
            os.nice(DRAWING_NICENESS)
            draw_pictures(models[0], work_dir, device, num_examples, continue_shipped, into)
            return
        facts = pretrain(
            models[0],
            work_dir,
            num_steps,
            device,
            continue_shipped=continue_shipped,
            out=into,
            ends_at=ends_at,
            is_tracked=track,
            shares=share,
            num_examples=num_examples,
            settings=settings,
            kept_share=kept_share,
        )
    print_facts(facts, as_json)
