"""Commands that draw the embedded world: pictures, tables, triplets, videos."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import typer

from editfoundry.cli.app import tinyworld_app
from editfoundry.cli.shared import (
    JsonOption,
    ParamsOption,
    ReplaceOption,
    chosen_params,
    print_facts,
    progress_bar,
    show_result,
)
from editfoundry.data.edit_tasks import EditTask
from editfoundry.errors import BadInputError


class WorldSplit(StrEnum):
    """Splits of tinyworld's scenes."""

    TRAIN = "train"
    TEST = "test"


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
