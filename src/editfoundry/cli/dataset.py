"""Commands that score and curate triplets."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, Literal

import typer

from editfoundry.cli.app import app
from editfoundry.cli.shared import (
    JsonOption,
    OnlyOption,
    ParamsOption,
    ProfileOption,
    ReplaceOption,
    chosen_params,
    print_facts,
    progress_bar,
    show_result,
)


@app.command()
def express(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="Folder of triplet shards.")],
    output: Annotated[Path, typer.Argument(help="Folder of the shards with expressive instructions.")],
    by: Annotated[
        Literal["model", "truth"] | None,
        typer.Option(
            help="The profile's vision-language model, or the output pictures' captions; else as the parameters say."
        ),
    ] = None,
    summarize: Annotated[
        bool | None, typer.Option(help="Let the profile's summarizer shorten it, or not; else as the parameters say.")
    ] = None,
    only: OnlyOption = None,
    replace: ReplaceOption = False,
    profile: ProfileOption = None,
    params: ParamsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what each edit will look like, for MGIE to learn. Example: editfoundry express data/dataset/train data/told."""  # noqa: E501
    from editfoundry.profiles import load_profile
    from editfoundry.synthesis.expressive.stage import express as express_shards

    chosen = chosen_params(params, profile)
    asked = {name: value for name, value in (("source", by), ("summarizes", summarize)) if value is not None}
    config = dataclasses.replace(chosen.expressive, **asked)
    roles = load_profile(chosen.profile)
    with progress_bar("triplets") as progress:
        result = express_shards(source, output, config, roles, chosen.device, progress, only, replace)
    show_result(result, output, as_json)


@app.command()
def score(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="Folder of triplet shards, imported or made here.")],
    output: Annotated[Path, typer.Argument(help="Folder of the scored shards.")],
    judge: Annotated[bool, typer.Option(help="Ask the profile's vision-language model too.")] = True,
    only: OnlyOption = None,
    replace: ReplaceOption = False,
    profile: ProfileOption = None,
    params: ParamsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add the CLIP and judge scores that triplets lack. Example: editfoundry score data/imported data/scored."""
    from editfoundry.curation.score import score as add_scores
    from editfoundry.profiles import load_profile

    chosen = chosen_params(params, profile)
    if not judge:
        chosen = dataclasses.replace(chosen, score=dataclasses.replace(chosen.score, judge=None))
    roles = load_profile(chosen.profile)
    with progress_bar("triplets") as progress:
        result = add_scores(source, output, chosen.score, roles, chosen.device, progress, only, replace)
    show_result(result, output, as_json)


@app.command()
def curate(
    sources: Annotated[list[Path], typer.Argument(metavar="INPUT...", help="Folders of triplet shards.")],
    output: Annotated[Path, typer.Argument(help="Folder of the data set.")],
    profile: ProfileOption = None,
    params: ParamsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Filter, deduplicate, split. Example: editfoundry curate data/triplets/editworld-text data/dataset."""
    from editfoundry.curation.curate import curate as curate_shards

    chosen = chosen_params(params, profile).dataset
    with progress_bar("triplets") as progress:
        result = curate_shards(sources, output, chosen, progress)
    show_result(result, output, as_json)


@app.command("curation-sheet")
def curation_sheet(
    dataset: Annotated[Path, typer.Argument(help="Data set made by editfoundry curate.")],
    out: Annotated[Path, typer.Option(help="HTML file, everything inlined, or PNG.")],
    triplets: Annotated[
        list[Path] | None,
        typer.Option(help="Shards that it was made of, for the dropped pictures; repeatable; default the lineage's."),
    ] = None,
    num_each: Annotated[int, typer.Option(min=1, help="Kept and dropped triplets at most, each.")] = 24,
    as_json: JsonOption = False,
) -> None:
    """Show kept and dropped triplets with their scores and reasons. Example: editfoundry curation-sheet data/dataset --out sheet.html."""  # noqa: E501
    from editfoundry.curation.judged_grid import write_sheet
    from editfoundry.curation.shown_triplets import choose_shown
    from editfoundry.lineage.stages import TRIPLET_STAGES, Paths

    root = Path.cwd()
    if triplets is None and dataset.resolve() == Paths(root).dataset:
        triplets = [folder for folder in (stage.folder(root) for stage in TRIPLET_STAGES) if folder.is_dir()]
    sheet = choose_shown(dataset, triplets or [], num_each)
    write_sheet(out, sheet, f"What curation kept and dropped: {dataset.name}")
    print_facts({"sheet": str(out), "kept": sheet.num_kept, "dropped": sheet.num_dropped}, as_json)
