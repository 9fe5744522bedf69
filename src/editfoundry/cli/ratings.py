"""Commands of people's ratings: the sheet, and what its answers come to."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from editfoundry.cli.app import ratings_app
from editfoundry.cli.shared import DeviceOption, JsonOption, ProfileOption, print_facts, progress_bar
from editfoundry.errors import BadInputError
from editfoundry.training.loop_config import MAX_SEED

JUDGE_RATER = "judge"


@ratings_app.command("sheet")
def ratings_sheet(
    runs_and_out: Annotated[
        list[Path],
        typer.Argument(metavar="RUN... OUT.html", help="Run folders of editfoundry evaluate, then the page to write."),
    ],
    num_items: Annotated[
        int | None, typer.Option(min=1, help="Items, drawn by seed of those that all runs have; by default all.")
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, max=MAX_SEED, help="Of the draw, the order, and what is left and right.")
    ] = 0,
    pairs: Annotated[bool, typer.Option(help="Ask of each two editors which is better, too.")] = True,
    title: Annotated[str, typer.Option(help="Heading of the page.")] = "Rate these edits",
    as_json: JsonOption = False,
) -> None:
    """Write a page on which people rate edits without knowing whose they are. Example: editfoundry ratings sheet reports/holes sheet.html."""  # noqa: E501
    from editfoundry.evaluation.ratings.rating_key import key_path
    from editfoundry.evaluation.ratings.rating_sheet import write_rating_sheet

    *runs, out = runs_and_out
    if not runs:
        raise BadInputError("ratings sheet takes one or more run folders and then the page: RUN... OUT.html")
    counts = write_rating_sheet(runs, out, num_items=num_items, seed=seed, pairs=pairs, title=title)
    print_facts({"sheet": str(out), "key": str(key_path(out)), **vars(counts)}, as_json)


@ratings_app.command("aggregate")
def ratings_aggregate(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="What raters saved, JSON or CSV.")],
    key: Annotated[Path, typer.Option(help="Key of the sheet, which was written beside it.")],
    out: Annotated[Path, typer.Option(help="Folder that gets ratings.json, ratings.md and answers.csv.")],
    rater: Annotated[
        str | None,
        typer.Option(help=f"{JUDGE_RATER}: let the profile's vision-language model answer the sheet beside them."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=MAX_SEED, help="Of the resampling.")] = 0,
    profile: ProfileOption = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Say what ratings come to, with intervals and the raters' agreement. Example: editfoundry ratings aggregate ratings-*.json --key sheet.key.json --out reports/ratings."""  # noqa: E501
    from editfoundry.evaluation.ratings.rating_files import read_ratings, write_ratings
    from editfoundry.evaluation.ratings.rating_key import read_key
    from editfoundry.evaluation.ratings.rating_report import (
        JUDGE_FILE,
        check_ratings_output,
        claim_ratings_output,
        rating_tables,
        write_ratings_report,
    )
    from editfoundry.evaluation.ratings.rating_results import rating_results

    if rater not in (None, JUDGE_RATER):
        raise BadInputError(f"--rater is {rater!r}, but can only be {JUDGE_RATER}: people save files")
    check_ratings_output(out, [key, *files])
    sheet_key = read_key(key)
    raters = read_ratings(files, sheet_key)
    judge = None
    if rater is not None:
        from editfoundry.evaluation.ratings.judge_rater import judge_ratings
        from editfoundry.pretrained.journal import JUDGE_SUFFIX, journal_path
        from editfoundry.pretrained.judge_model import load_judge_model, remembering
        from editfoundry.pretrained.runtime import choose_runtime
        from editfoundry.profiles import load_profile

        model = load_judge_model(load_profile(profile or "embedded"), choose_runtime(device))
        claim_ratings_output(out)
        with remembering(model, out / JUDGE_FILE) as asked, progress_bar("tasks") as progress:
            judge = judge_ratings(asked, sheet_key, progress)
    results = rating_results(sheet_key, raters, judge, seed)
    write_ratings_report(out, sheet_key, raters, results)
    if judge is not None:
        write_ratings(out / JUDGE_FILE, sheet_key, judge)
        journal_path(out / JUDGE_FILE, JUDGE_SUFFIX).unlink(missing_ok=True)
    if as_json:
        print_facts({"out": str(out), **results}, as_json)
        return
    from rich.console import Console

    from editfoundry.evaluation.reports.compare_page import table_for_terminal

    console = Console()
    for table in rating_tables(results):
        console.print(table_for_terminal(table))
    console.print(f"ratings: {out / 'ratings.md'}", soft_wrap=True, markup=False)
