"""Commands of the embedded world: pictures, tables, models, measures."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console

from editfoundry.cli.app import tinyworld_app
from editfoundry.cli.shared import (
    DeviceOption,
    JsonOption,
    ParamsOption,
    ProfileOption,
    ReplaceOption,
    chosen_params,
    print_facts,
    progress_bar,
    show_result,
)
from editfoundry.data.edit_tasks import EditTask
from editfoundry.errors import BadInputError
from editfoundry.pretraining.card import CONTROLS, PRETRAININGS, RECIPES


class WorldSplit(StrEnum):
    """Splits of tinyworld's scenes."""

    TRAIN = "train"
    TEST = "test"


class Masking(StrEnum):
    """Training masks of Imagen Editor."""

    OBJECT = "object"
    RANDOM = "random"


class Downsampling(StrEnum):
    """How Imagen Editor's smaller models see picture and mask."""

    LEARNED = "learned"
    BICUBIC = "bicubic"


@tinyworld_app.command("gallery")
def tinyworld_gallery(out: Annotated[Path, typer.Option(help="PNG file of the contact sheet.")]) -> None:
    """Draw every object, state and rule. Example: editfoundry tinyworld gallery --out gallery.png."""
    from editfoundry.tinyworld.gallery import draw_gallery

    draw_gallery(out)
    print_facts({"gallery": str(out)}, False)


@tinyworld_app.command("samples")
def tinyworld_samples(
    out: Annotated[Path, typer.Option(help="Folder of the pictures and their pairs.csv.")],
    num_world: Annotated[int, typer.Option(min=1, help="World instructions.")] = 7,
    num_plain: Annotated[int, typer.Option(min=0, help="Add, change and remove edits.")] = 3,
    seed: Annotated[int, typer.Option(help="Seed of the scenes.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Write a few pictures to try an editor on. Example: editfoundry tinyworld samples --out samples."""
    from editfoundry.tinyworld.samples import write_samples

    rows = write_samples(out, num_world, num_plain, seed)
    if as_json:
        print_facts({"samples": str(out), "pairs": rows}, as_json)
        return
    for row in rows:
        print(f"{out / row['input']}  {row['instruction']}")


@tinyworld_app.command("captions")
def tinyworld_captions(
    out: Annotated[Path, typer.Option(help="Parquet file in LAION's schema.")],
    num_rows: Annotated[int | None, typer.Option(min=1, help="Rows; by default what the parameters say.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed; by default what the parameters say.")] = None,
    params: ParamsOption = None,
) -> None:
    """Write a LAION-schema table of captions. Example: editfoundry tinyworld captions --out captions.parquet."""
    from editfoundry.tinyworld.captions import write_laion_table

    defaults = chosen_params(params, None).captions
    rows = defaults.num_rows if num_rows is None else num_rows
    write_laion_table(out, rows, defaults.seed if seed is None else seed)
    print_facts({"table": str(out), "rows": rows}, False)


@tinyworld_app.command("captioned-pictures")
def tinyworld_captioned_pictures(
    out: Annotated[Path, typer.Argument(help="Folder of WebDataset tars.")],
    num: Annotated[int, typer.Option(min=1, help="Pictures.")] = 2_000,
    seed: Annotated[int, typer.Option(help="Seed of the scenes.")] = 0,
    split: Annotated[WorldSplit, typer.Option(help="Scenes of training, or held-out ones.")] = WorldSplit.TRAIN,
    as_json: JsonOption = False,
) -> None:
    """Write pictures, captions and boxes that inpainters are trained on. Example: editfoundry tinyworld captioned-pictures data/pictures --num 2000."""  # noqa: E501
    from editfoundry.tinyworld.captioned_scenes import write_captioned_scenes

    chosen: Literal["train", "test"] = "test" if split is WorldSplit.TEST else "train"
    print_facts({"pictures": str(out), "num_pictures": write_captioned_scenes(out, num, seed, chosen)}, as_json)


@tinyworld_app.command("instruction-rows")
def tinyworld_instruction_rows(
    out: Annotated[Path, typer.Argument(help="JSONL file of input, edit and output.")],
    num: Annotated[int, typer.Option(min=1, help="Rows; InstructPix2Pix wrote 700 by hand.")] = 700,
    seed: Annotated[int, typer.Option(help="Seed of the scenes.")] = 0,
    split: Annotated[WorldSplit, typer.Option(help="Scenes of training, or held-out ones.")] = WorldSplit.TRAIN,
    as_json: JsonOption = False,
) -> None:
    """Write plain edits to teach a language model. Example: editfoundry tinyworld instruction-rows rows.jsonl."""
    from editfoundry.synthesis.instructions.instruction_rows import InstructionRow, write_instruction_rows
    from editfoundry.tinyworld.plain_truth import plain_edit_rows

    chosen: Literal["train", "test"] = "test" if split is WorldSplit.TEST else "train"
    write_instruction_rows(out, (InstructionRow(**row) for row in plain_edit_rows(num, seed, chosen)))
    print_facts({"rows": str(out), "num_rows": num}, as_json)


@tinyworld_app.command("tasks")
def tinyworld_tasks(
    output: Annotated[Path, typer.Argument(help="Folder of triplet shards.")],
    num: Annotated[int, typer.Option(min=1, help="Triplets; the tasks take turns.")] = 1500,
    task: Annotated[list[EditTask] | None, typer.Option(help="A task alone; may be given several times.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the scenes.")] = 0,
    split: Annotated[WorldSplit, typer.Option(help="Scenes of training, or held-out ones.")] = WorldSplit.TRAIN,
    held_out_wording: Annotated[bool, typer.Option(help="Word instructions as training never words them.")] = False,
    replace: ReplaceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write true triplets of Emu Edit's tasks. Example: editfoundry tinyworld tasks data/tasks --num 3000."""
    from editfoundry.synthesis.tinyworld_tasks.config import TaskTripletConfig
    from editfoundry.synthesis.tinyworld_tasks.stage import write_task_triplets
    from editfoundry.tinyworld.tasks.task_sampling import MADE_TASKS

    config = TaskTripletConfig(
        num_triplets=num,
        tasks=tuple(task or MADE_TASKS),
        seed=seed,
        split="test" if split is WorldSplit.TEST else "train",
        held_out_wording=held_out_wording,
    )
    with progress_bar("triplets") as progress:
        result = write_task_triplets(output, config, progress, replace=replace)
    show_result(result, output, as_json)


@tinyworld_app.command("editbench")
def tinyworld_editbench(
    out: Annotated[Path, typer.Argument(help="Folder to make; an earlier one of this command is replaced.")],
    num: Annotated[int, typer.Option(min=1, help="Pictures, each with a mask and three prompts.")] = 240,
    seed: Annotated[int, typer.Option(help="Seed of the scenes.")] = 0,
    side: Annotated[int, typer.Option(min=64, help="Pixels to a side, a multiple of 64.")] = 64,
    as_json: JsonOption = False,
) -> None:
    """Write pictures with holes and prompts in EditBench's files, with the truth. Example: editfoundry tinyworld editbench EditBench."""  # noqa: E501
    from editfoundry.tinyworld.editbench.editbench_files import write_editbench

    if side % 64:
        raise BadInputError(f"--side is {side}, but must be a multiple of 64")
    with progress_bar("pictures") as progress:
        write_editbench(out, num, seed, side, progress)
    print_facts({"editbench": str(out), "num_pictures": num, "num_prompts": 3 * num}, as_json)


@tinyworld_app.command("measure-instructions")
def tinyworld_measure_instructions(
    num: Annotated[int, typer.Option(min=1, help="Held-out captions.")] = 400,
    model: Annotated[str | None, typer.Option(help="Who writes, as of editfoundry instructions write.")] = None,
    profile: ProfileOption = None,
    params: ParamsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare what is written for held-out captions with the truth. Example: editfoundry tinyworld measure-instructions --model model."""  # noqa: E501
    from editfoundry.pretraining.measure_instructions import measure_instructions
    from editfoundry.profiles import load_profile
    from editfoundry.synthesis.instructions.stage import with_instruction_model

    chosen = chosen_params(params, profile)
    roles = load_profile(chosen.profile)
    roles = roles if model is None else with_instruction_model(roles, model)
    print_facts(measure_instructions(roles, chosen.instructions, num, chosen.device), as_json)


@tinyworld_app.command("ambiguous-triplets")
def tinyworld_ambiguous_triplets(
    out: Annotated[Path, typer.Argument(help="Folder of triplet shards.")],
    num: Annotated[int, typer.Option(min=1, help="Triplets.")] = 8_000,
    seed: Annotated[int, typer.Option(help="Seed of the scenes.")] = 0,
    plain_share: Annotated[float, typer.Option(min=0, max=1, help="Share of plain edits among them.")] = 0.25,
    as_json: JsonOption = False,
) -> None:
    """Write edits that only the picture makes clear. Example: editfoundry tinyworld ambiguous-triplets data/ambiguous."""  # noqa: E501
    from editfoundry.pretraining.ambiguous_triplets import write_ambiguous_triplets

    write_ambiguous_triplets(out, num, seed, plain_share)
    print_facts({"triplets": str(out), "num_triplets": num}, as_json)


@tinyworld_app.command("clips")
def tinyworld_clips(
    out: Annotated[Path, typer.Argument(help="Folder of clips.parquet, videos/ and truth.jsonl.")],
    num: Annotated[int | None, typer.Option(min=1, help="Clips; by default what the parameters say.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed; by default what the parameters say.")] = None,
    split: Annotated[WorldSplit, typer.Option(help="Scenes of training, or held-out ones.")] = WorldSplit.TRAIN,
    params: ParamsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write H.264 clips with an InternVid-schema table. Example: editfoundry tinyworld clips world --num 48."""
    from editfoundry.tinyworld.clips.writing import write_clips

    chosen = chosen_params(params, None).clips
    count, chosen_seed = num or chosen.num_clips, chosen.seed if seed is None else seed
    chosen_split: Literal["train", "test"] = "test" if split is WorldSplit.TEST else "train"
    with progress_bar("videos") as progress:
        written = write_clips(out, count, chosen_seed, chosen_split, chosen.frame_size, progress)
    print_facts({"table": str(written.table), "clips": written.num_clips, "videos": written.num_videos}, as_json)


@tinyworld_app.command("measure-frame-pairs")
def tinyworld_measure_frame_pairs(
    work_dir: Annotated[Path, typer.Argument(help="Folder that gets the clips and their pairs.")],
    num: Annotated[int, typer.Option(min=1, help="Held-out clips.")] = 200,
    seed: Annotated[int, typer.Option(help="Seed of the clips.")] = 1,
    profile: ProfileOption = None,
    params: ParamsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare mined pairs with the truth. Example: editfoundry tinyworld measure-frame-pairs work --num 200."""
    from editfoundry.pretraining.measure_mining import measure_frame_pairs
    from editfoundry.profiles import load_profile

    chosen = chosen_params(params, profile)
    with progress_bar("videos") as progress:
        facts = measure_frame_pairs(
            work_dir, num, seed, chosen.frame_pairs, load_profile(chosen.profile), chosen.device, progress
        )
    print_facts(facts, as_json)


@tinyworld_app.command("measure-storylines")
def tinyworld_measure_storylines(
    work_dir: Annotated[Path, typer.Argument(help="Folder of measure-frame-pairs; it gets the triplets.")],
    profile: ProfileOption = None,
    params: ParamsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare instructions with the truth, of what is made and of what the data set keeps. Example: editfoundry tinyworld measure-storylines work."""  # noqa: E501
    from editfoundry.pretraining.measure_storylines import measure_storylines
    from editfoundry.profiles import load_profile

    chosen = chosen_params(params, profile)
    config, roles = chosen.editworld_video, load_profile(chosen.profile)
    print_facts(measure_storylines(work_dir, config, roles, chosen.device, chosen.dataset), as_json)


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
            help="Train what is shipped on: vae, diffusion, language_model, detector, depth, editworld, emu_edit or mgie; "
            "of several, vae, diffusion and the editors, which move to the new autoencoder."
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


@tinyworld_app.command("measure")
def tinyworld_measure(
    role: Annotated[str, typer.Argument(help=f"The model's role: {', '.join(RECIPES)}.")],
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Measure an embedded model on held-out scenes, into its card. Example: editfoundry tinyworld measure clip."""
    from editfoundry.pretraining.pretrain import measure

    print_facts(measure(role, device), as_json)


@tinyworld_app.command("truth")
def tinyworld_truth(
    triplets: Annotated[Path, typer.Argument(help="Folder of triplet shards made from tinyworld's captions.")],
    dataset: Annotated[Path | None, typer.Option(help="Data set made of them: scores kept and dropped apart.")] = None,
    kept: Annotated[
        Path | None, typer.Option(help="Folder of triplet shards that a filter kept of them: likewise.")
    ] = None,
    category: Annotated[str | None, typer.Option(help="Score triplets of this category alone.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Count triplets that show the true outcome, and say which scores tell. Example: editfoundry tinyworld truth data/triplets/editworld-text."""  # noqa: E501
    from editfoundry.curation.curate import kept_ids
    from editfoundry.data.shards import read_fields
    from editfoundry.pretraining.triplet_truth import triplet_truth

    if dataset is not None and kept is not None:
        raise BadInputError("--dataset and --kept both say what was kept: give one of them")
    ids = None if dataset is None else kept_ids(dataset)
    if kept is not None:
        ids = {row["id"] for row in read_fields(kept)}
    print_facts(triplet_truth(triplets, ids, category=category).to_dict(), as_json)


@tinyworld_app.command("ablation")
def tinyworld_ablation(
    quadruples: Annotated[Path, typer.Argument(help="Folder of quadruple shards made from tinyworld's captions.")],
    out: Annotated[Path, typer.Argument(help="Folder that gets the table and the triplets of each arm.")],
    num: Annotated[int, typer.Option(min=1, help="Quadruples: the first whose true outcome is known.")] = 200,
    profile: ProfileOption = None,
    params: ParamsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare the text branch with itself without its parts. Example: editfoundry tinyworld ablation data/quadruples ablation."""  # noqa: E501
    from editfoundry.pretraining.ablation import run_ablation
    from editfoundry.pretraining.ablation.table import terminal_table

    with progress_bar("shards") as progress:
        summary = run_ablation(chosen_params(params, profile), quadruples, out, num, progress)
    if as_json:
        print(json.dumps(summary))
        return
    Console().print(terminal_table(summary))
    print_facts({"table": str(out / "ablation.md"), "left_out": summary["left_out"]}, False)
