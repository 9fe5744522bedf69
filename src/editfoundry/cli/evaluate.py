"""The command that puts editors on a benchmark."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from editfoundry.cli.app import app
from editfoundry.cli.shared import (
    DeviceOption,
    JsonOption,
    OptionOption,
    ParamsOption,
    ProfileOption,
    chosen_params,
    parsed_options,
    progress_bar,
    show_summary,
)
from editfoundry.editors.open_editor import own_names
from editfoundry.errors import BadInputError
from editfoundry.evaluation.made_by import made_now, typed_command
from editfoundry.lineage.params import Params
from editfoundry.training.loop_config import MAX_SEED

_LINEAGE = "tinyworld"


def _list_benchmarks(asked: bool) -> None:
    if not asked:
        return
    from editfoundry.evaluation.benchmarks.all_benchmarks import BENCHMARKS

    for definition in BENCHMARKS:
        layout = f"; its folder holds {definition.layout}" if definition.layout else ""
        print(f"{definition.name}: {definition.title}{layout}")
    raise typer.Exit


@app.command()
def evaluate(
    editor: Annotated[
        list[str],
        typer.Option(
            help="Diffusers folder of any pipeline that takes an image and a prompt, a registered model NAME@ALIAS, or "
            f"one of {', '.join(own_names())}; LABEL=EDITOR names it. Repeat it for several."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder of the report; edits that are there are not made again.")],
    benchmark: Annotated[
        str,
        typer.Option(
            help=f"{_LINEAGE} (the lineage's report: the editor against its base on all of {_LINEAGE}), or one that "
            "--list-benchmarks names."
        ),
    ] = _LINEAGE,
    benchmark_folder: Annotated[Path | None, typer.Option(help="Where the benchmark lies, in its own layout.")] = None,
    num_items: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="At most so many items, drawn by seed, but one whole session, or one picture's prompts, at least; by "
            "default all.",
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, max=MAX_SEED, help="Of noise, draw and intervals; by default the parameters'.")
    ] = None,
    num_inference_steps: Annotated[int | None, typer.Option(min=1, max=1000, help="Sampler steps.")] = None,
    guidance_scale: Annotated[float | None, typer.Option(help="Weight of the instruction.")] = None,
    image_guidance_scale: Annotated[float | None, typer.Option(help="Weight of the input picture.")] = None,
    guidance_rescale: Annotated[float | None, typer.Option(min=0, max=1, help="As of editfoundry edit.")] = None,
    scheduler: Annotated[str | None, typer.Option(help="Sampler, by diffusers' name.")] = None,
    option: OptionOption = None,
    batch_size: Annotated[int | None, typer.Option(min=1, help="Edits made at once.")] = None,
    dataset: Annotated[
        Path | None, typer.Option(help="Data set it was trained on: for the lineage's counts, or to look for leaks.")
    ] = None,
    post_edit: Annotated[bool, typer.Option("--post-edit", help="Beside it, the editor with its post-edit.")] = False,
    keep_below: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="Beside it, the editor with its input's pixel kept where the low-passed RGB difference is below this; "
            "Emu Edit's 0.03 keeps turns from drifting.",
        ),
    ] = None,
    controls: Annotated[
        bool | None,
        typer.Option(
            "--controls/--no-controls",
            help="Ask each editor with another item's instruction and with none too, and score trivial pictures by "
            f"every metric; by default on {_LINEAGE}'s benchmarks.",
            show_default=False,
        ),
    ] = None,
    list_benchmarks: Annotated[
        bool,
        typer.Option(
            "--list-benchmarks", callback=_list_benchmarks, is_eager=True, help="Name the benchmarks and end."
        ),
    ] = False,
    profile: ProfileOption = None,
    params: ParamsOption = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Score editors on a benchmark. Example: editfoundry evaluate --editor checkpoints/editworld --benchmark tinyworld-world --out reports/world."""  # noqa: E501
    settings = chosen_params(params, profile)
    if device != "auto":
        settings = dataclasses.replace(settings, device=device)
    options = {
        "num_inference_steps": num_inference_steps,
        "guidance_scale": guidance_scale,
        "image_guidance_scale": image_guidance_scale,
        "guidance_rescale": guidance_rescale,
        "scheduler": scheduler,
        **parsed_options(option),
    }
    given = {name: value for name, value in options.items() if value is not None}
    if benchmark == _LINEAGE:
        own = {
            **given,
            "keep_below": keep_below,
            "controls": controls,
            "benchmark_folder": benchmark_folder,
            "num_items": num_items,
            "seed": seed,
        }
        unused = [name for name, value in {**own, "batch_size": batch_size}.items() if value is not None]
        _evaluate_lineage(editor, out, settings, dataset, post_edit, unused)
        show_summary(out, as_json)
        return
    from editfoundry.evaluation.evaluate_by_name import EvaluationRequest, evaluate_by_name

    request = EvaluationRequest(
        editors=editor,
        benchmark=benchmark,
        benchmark_folder=benchmark_folder,
        dataset=dataset,
        options=given,
        num_items=num_items,
        seed=seed,
        batch_size=batch_size,
        post_edit=post_edit,
        keep_below=keep_below,
        controls=controls,
    )
    with progress_bar("edits") as progress:
        metrics = evaluate_by_name(request, settings, out, progress, made_now(typed_command()))
    _show(out, metrics, as_json)


def _evaluate_lineage(
    editors: list[str], out: Path, settings: Params, dataset: Path | None, post_edit: bool, unused: list[str]
) -> None:
    from editfoundry.editors.open_editor import editor_folder
    from editfoundry.evaluation.lineage_report import evaluate_checkpoint
    from editfoundry.evaluation.reports.read_run import runs_folder

    if len(editors) > 1 or unused:
        what = f"no --{unused[0].replace('_', '-')}" if unused else "one editor"
        raise BadInputError(f"--benchmark tinyworld is the lineage's report and takes {what}: use tinyworld-world")
    if dataset is None and Path("data/dataset").is_dir():
        dataset = Path("data/dataset")
    if post_edit:
        settings = dataclasses.replace(settings, editworld_report=settings.editworld_report.asking_for_post_edit())
    with progress_bar("edits") as progress:
        evaluate_checkpoint(
            settings, editor_folder(editors[0]), out, dataset, progress=progress, runs=runs_folder(Path(), out)
        )


def _show(folder: Path, metrics: dict[str, Any], as_json: bool) -> None:
    summary = json.loads((folder / "summary.json").read_text())
    if as_json:
        print(json.dumps({"report": str(folder / "report.html"), "summary": summary}))
        return
    editors = list(metrics["editors"])
    table = Table(title=metrics["benchmark"]["title"], title_justify="left")
    for heading in ("metric", *editors):
        table.add_column(heading, justify="left" if heading == "metric" else "right")
    for name, facts in metrics["metrics"].items():
        if facts["missing"] is None:
            table.add_row(facts["label"], *(_mean(summary[editor]["overall"][name]) for editor in editors))
    console = Console()
    console.print(table)
    for line in _remarks(metrics):
        console.print(line, soft_wrap=True)
    console.print(f"report: {folder / 'report.html'}", soft_wrap=True)


def _mean(interval: dict[str, Any]) -> str:
    return "–" if interval["value"] is None else f"{interval['value']:.4f} (n {interval['n']})"


def _remarks(metrics: dict[str, Any]) -> list[str]:
    """Say what the table does not show: failed edits, lacking pictures, lacking models."""
    from editfoundry.evaluation.benchmarks.item import count_repeated

    failed = sum(row["failure"] is not None for row in metrics["items"])
    benchmark = metrics["benchmark"]
    num_repeated = count_repeated(benchmark["extra"])
    counts = {
        "edits that failed": failed,
        "entries of the benchmark that lack something": len(benchmark["missing"]),
        "entries that repeat others": num_repeated,
        "pictures that no entry names": len(benchmark["extra"]) - num_repeated,
    }
    lines = [f"{what}: {count}" for what, count in counts.items() if count]
    reasons = dict.fromkeys(facts["missing"] for facts in metrics["metrics"].values() if facts["missing"])
    return [*lines, *(f"not measured: {reason}" for reason in reasons)]
