"""Commands that hold what was made of tinyworld, and the embedded models, against its truth."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from editfoundry.cli.app import tinyworld_app
from editfoundry.cli.shared import (
    DeviceOption,
    JsonOption,
    ParamsOption,
    ProfileOption,
    chosen_params,
    print_facts,
    progress_bar,
)
from editfoundry.errors import BadInputError
from editfoundry.pretraining.card import RECIPES


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
