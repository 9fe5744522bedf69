"""Commands that write and compare reports."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from editfoundry.cli.app import app
from editfoundry.cli.shared import (
    DeviceOption,
    JsonOption,
    OptionOption,
    ProfileOption,
    parse_numbers,
    parsed_options,
    print_facts,
    progress_bar,
)
from editfoundry.data.output_folder import require_no_input
from editfoundry.errors import BadInputError
from editfoundry.evaluation.made_by import made_now, typed_command
from editfoundry.training.loop_config import MAX_SEED

_PAPER_SCALES = "1,1.2,1.4,1.6,1.8,2,2.2"


@app.command()
def report(
    run: Annotated[Path, typer.Argument(help="Run folder that editfoundry evaluate wrote.")],
    seed: Annotated[
        int, typer.Option(min=0, max=MAX_SEED, help="Of the resampling and of the pictures that are drawn.")
    ] = 0,
    mlflow: Annotated[bool, typer.Option("--mlflow", help="Log it to the current folder's MLflow too.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write a run's reports anew; nothing is edited or scored. Example: editfoundry report reports/editworld-test."""
    from editfoundry.evaluation.reports import write_reports

    write_reports(run, seed)
    facts = {
        "report": str(run / "report.html"),
        "markdown": str(run / "report.md"),
        "summary": str(run / "summary.json"),
    }
    if mlflow:
        from editfoundry.evaluation.reports.mlflow_log import log_reports

        facts["mlflow_run"] = log_reports(run, Path.cwd())
    print_facts(facts, as_json)


@app.command()
def compare(
    reports: Annotated[list[Path], typer.Argument(metavar="REPORT...", help="Run folders or reports, two or more.")],
    out: Annotated[Path | None, typer.Option(help="HTML file of the comparison.")] = None,
    seed: Annotated[int, typer.Option(min=0, max=MAX_SEED, help="Of the resampling.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Subtract reports where their items are the same. Example: editfoundry compare reports/first reports/second --out difference.html."""  # noqa: E501
    from rich.console import Console

    from editfoundry.evaluation.reports.compare import compare_reports
    from editfoundry.evaluation.reports.compare_page import terminal_tables, write_comparison

    if out is not None and out.suffix != ".html":
        raise BadInputError(f"{out}: a comparison is an .html file")
    if out is not None:
        require_no_input(out, [path / "report.html" for path in reports] + reports)
    comparison = compare_reports(reports, seed)
    if out is not None:
        title = " against ".join(path.resolve().name for path in reports)
        write_comparison(out, comparison, title, made_now(typed_command()))
    if as_json:
        print(json.dumps({"out": None if out is None else str(out), **comparison.to_dict()}))
        return
    console = Console()
    for warning in comparison.warnings:
        console.print(warning, markup=False)
    for one in comparison.benchmarks:
        for statement in (*one.statements, *one.warnings):
            console.print(statement, markup=False)
        for table in terminal_tables(one):
            console.print(table)
    if out is not None:
        console.print(f"comparison: {out}", soft_wrap=True, markup=False)


@app.command("dataset-report")
def dataset_report(
    dataset: Annotated[Path, typer.Argument(help="Data set of editfoundry curate, or a folder of triplet shards.")],
    out: Annotated[Path, typer.Option(help="Folder that gets dataset.html and dataset.json.")],
    as_json: JsonOption = False,
) -> None:
    """Count branches, categories, keywords and scores. Example: editfoundry dataset-report data/dataset --out reports/dataset."""  # noqa: E501
    from editfoundry.evaluation.reports.dataset_page import write_dataset_report
    from editfoundry.lineage.stages import BRANCHES

    statistics = write_dataset_report(dataset, out, BRANCHES)
    facts: dict[str, Any] = {"report": str(out / "dataset.html"), "triplets": statistics["num_triplets"]}
    branches = {branch: sum(counts.values()) for branch, counts in statistics["branches"].items()}
    print_facts({**facts, "splits": statistics["splits"], "branches": branches}, as_json)


@app.command("trade-off")
def trade_off(
    editor: Annotated[list[str], typer.Option(help="InstructPix2Pix editor, as of evaluate; may be repeated.")],
    benchmark: Annotated[str, typer.Option(help="Name of the benchmark, as of editfoundry evaluate.")],
    out: Annotated[Path, typer.Option(help="Folder of the edits, trade_off.html and trade_off.json.")],
    benchmark_folder: Annotated[
        Path | None, typer.Option(help="Where the benchmark lies; tinyworld's need none.")
    ] = None,
    image_guidance_scales: Annotated[
        str, typer.Option(help="s_I of each point; the paper's by default.")
    ] = _PAPER_SCALES,
    guidance_scale: Annotated[float, typer.Option(help="s_T of all; the paper's by default.")] = 7.5,
    num_inference_steps: Annotated[int | None, typer.Option(min=1, max=1000, help="Sampler steps.")] = None,
    option: OptionOption = None,
    num_items: Annotated[int | None, typer.Option(min=1, help="Items, drawn by seed; by default all.")] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Edits made at once.")] = 16,
    seed: Annotated[int, typer.Option(min=0, max=MAX_SEED, help="Of the noise and of the resampling.")] = 0,
    profile: ProfileOption = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Sweep the image guidance of editors, as InstructPix2Pix's figure 8. Example: editfoundry trade-off --editor checkpoints/editworld --editor base --benchmark tinyworld-world --out reports/trade-off."""  # noqa: E501
    from editfoundry.profiles import load_profile

    scales, chosen = parse_numbers("image-guidance-scales", image_guidance_scales), load_profile(profile or "embedded")
    from editfoundry.evaluation.benchmarks.reading import read_benchmark
    from editfoundry.evaluation.metrics.clip_direction import CLIP_DIRECTION
    from editfoundry.evaluation.metrics.metric_models import load_metric_models
    from editfoundry.evaluation.reports.trade_off import run_trade_off, scaled_editors
    from editfoundry.pretrained.runtime import choose_runtime

    runtime = choose_runtime(device)
    items = read_benchmark(benchmark, benchmark_folder, num_items=num_items, seed=seed)
    options = {} if num_inference_steps is None else {"num_inference_steps": num_inference_steps}
    options |= parsed_options(option)
    editors = scaled_editors(editor, chosen, runtime, scales, guidance_scale=guidance_scale, options=options)
    models = load_metric_models(chosen, runtime, [CLIP_DIRECTION])
    with progress_bar("edits") as progress:
        made = run_trade_off(
            editors,
            items,
            out,
            models=models,
            guidance_scale=guidance_scale,
            seed=seed,
            batch_size=batch_size,
            made=made_now(typed_command()),
            progress=progress,
        )
    curves = {
        name: "; ".join(
            f"s_I {p['image_guidance_scale']:g}: direction {_mean(p['clip_direction'])}, image {_mean(p['clip_image'])}"
            for p in points
        )
        for name, points in made["curves"].items()
    }
    print_facts({"report": str(out / "trade_off.html"), **(made if as_json else curves)}, as_json)


def _mean(interval: dict[str, Any]) -> str:
    return "–" if interval["value"] is None else f"{interval['value']:.4f}"
