"""The lineage's report: an editor against its base on tinyworld's benchmarks, one run each, behind one cover."""

from __future__ import annotations

import dataclasses
import json
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from editfoundry.data.hashing import file_hash, input_hash
from editfoundry.data.output_folder import claim_output
from editfoundry.data.rejections import count_by_reason, read_rejections
from editfoundry.data.shards import count_triplets
from editfoundry.data.split_leaks import split_folders
from editfoundry.data.stage_result import StageResult
from editfoundry.evaluation.benchmarks.reading import read_benchmark
from editfoundry.evaluation.controls import INSTRUCTION_CONTROLS
from editfoundry.evaluation.json_file import write_json
from editfoundry.evaluation.made_by import made_now
from editfoundry.evaluation.report_params import (
    WORLD_REPORT,
    EvaluationParams,
    LineReport,
    PairReportParams,
    SamplerParams,
)
from editfoundry.evaluation.reports.before_after import BASE, FINE_TUNED, POST_EDITED, markdown_table
from editfoundry.evaluation.reports.cover import Cover
from editfoundry.evaluation.reports.grid import grid_png
from editfoundry.evaluation.reports.page import write_text
from editfoundry.evaluation.reports.run_results import METRICS_FILE, RIGHT, SEVERAL, SHARP, parse_run
from editfoundry.evaluation.reports.shown_samples import draw_items, first_of_each_row
from editfoundry.evaluation.reports.write import write_covered_report
from editfoundry.execution.output_lock import output_lock
from editfoundry.pretrained.configurations import native_side
from editfoundry.pretrained.identity import model_identity
from editfoundry.profiles import ModelReference, Profile, load_profile
from editfoundry.tinyworld.outcome import RULE_VERSION
from editfoundry.tinyworld.scene import IMAGE_SIZE

if TYPE_CHECKING:
    from editfoundry.evaluation.benchmarks.item import Benchmark
    from editfoundry.evaluation.contestants import Contestant
    from editfoundry.pretrained.runtime import Runtime

STAGE = "report"
TRADE_OFF_FILE = "trade_off.json"
METRICS = (RIGHT, SHARP, "clip_score", "preservation_psnr")
_FILES = ("report.html", "summary.json", METRICS_FILE, "table.md", "grid.png")
_DONE = "evaluated.json"
_COSTS = ("seconds_per_edit", "peak_memory_mb")
"""What differs from machine to machine, and so does not go into the report's own files."""

Progress = Callable[[int, int], None]


def evaluate_checkpoint(
    params: EvaluationParams,
    editor: Path,
    output: Path,
    dataset: Path | None = None,
    progress: Progress | None = None,
    runs: Path | None = None,
    report: LineReport = WORLD_REPORT,
) -> bool:
    """Edit the benchmarks' cases with a line's base and with ``editor``; write report, summary and metrics.

    Nothing is redone when the checkpoint, the parameters, the models and the data set's counts are those of the report
    that is there, and edits that are in ``runs`` are not made again.

    Args:
        params: profile, device, sampler settings, numbers of cases, seed.
        editor: the fine-tuned editor's diffusers folder.
        output: gets ``report.html``, ``summary.json``, ``metrics.json``, ``table.md`` and ``grid.png``; with a
            trade-off ``trade_off.json`` as well.
        dataset: the data set it was trained on, for the report's counts.
        progress: called with edits done and edits in all.
        runs: gets a run folder for each benchmark; by default ``output``.
        report: what is compared on which benchmarks, and which sections of the parameters say how.

    Returns:
        Whether anything had to be done.

    Raises:
        BadInputError: there is no editor, or ``output`` holds something else.
        UnavailableError: another evaluation is at work on ``output``.
    """
    from editfoundry.pretrained.runtime import choose_runtime

    profile, settings = load_profile(params.profile), _settings(params, report)
    contestants = _contestants(settings, report.base, profile, choose_runtime(params.device), editor)
    with output_lock(output, STAGE):
        claim_output(output, STAGE)
        digest = input_hash(
            [file_hash(path) for path in sorted(editor.glob("**/*.safetensors"))],
            [list(contestant.identity) for contestant in contestants],
            dataclasses.asdict(settings),
            dict(getattr(params, report.training)),
            params.profile,
            {role: str(model) for role, model in profile.models.items()},
            model_identity(profile, "clip") if "clip" in profile.models else [],
            _counts(dataset),
            list(report.benchmarks),
            METRICS,
            RULE_VERSION,
        )
        if _is_done(output, digest):
            return False
        made = made_now(_command(report, editor, output))
        drawn = _draw(report.benchmarks, settings, _drawn_side(editor))
        measured = _run_all(params, settings, profile, contestants, drawn, runs or output, progress)
        parsed = [parse_run(data, (runs or output) / name, name) for name, data in measured.items()]
        write_json(output / METRICS_FILE, {SEVERAL: {name: _timeless(data) for name, data in measured.items()}})
        cover = _cover(params, report, profile, editor, dataset)
        if isinstance(settings, PairReportParams) and settings.num_trade_off_cases:
            few = read_benchmark(report.benchmarks[0], num_items=settings.num_trade_off_cases, seed=settings.seed)
            sweep = _sweep(params, settings, profile, editor, few, (runs or output) / "trade-off", progress)
            write_json(output / TRADE_OFF_FILE, dict(sweep["trade_off"]))
            cover = dataclasses.replace(cover, sweep=sweep)
        write_covered_report(output, parsed, cover, made, settings.seed)
        first = parsed[0]
        summary = json.loads((output / "summary.json").read_text())[SEVERAL][first.name]
        write_text(output / "table.md", markdown_table(summary) + "\n")
        grid_png(output / "grid.png", first, first_of_each_row(draw_items(first, settings.seed)))
        write_json(output / _DONE, {"input_hash": digest, "made": dataclasses.asdict(made)})
        return True


def log_to_mlflow(folder: Path, params: EvaluationParams, root: Path, report: LineReport = WORLD_REPORT) -> None:
    """Log a report as one MLflow run: its means, its parameters, its files."""
    from editfoundry.evaluation.reports.mlflow_log import log_reports

    log_reports(folder, root, settings=dataclasses.asdict(_settings(params, report)))


def headline_summary(folder: Path) -> dict[str, Any]:
    """Return the summary of a report's first benchmark."""
    summaries: dict[str, dict[str, Any]] = json.loads((folder / "summary.json").read_text())[SEVERAL]
    return next(iter(summaries.values()))


def _settings(params: EvaluationParams, report: LineReport) -> SamplerParams:
    settings: SamplerParams = getattr(params, report.section)
    return settings


def _contestants(
    settings: SamplerParams, base_name: str, profile: Profile, runtime: Runtime, editor: Path
) -> list[Contestant]:
    """Return base, fine-tuned and, where the parameters ask for it, post-edited, by the names that reports read."""
    from editfoundry.evaluation.contestants_by_name import EditorOptions, contestants_by_name

    options = EditorOptions(given=settings.sampling(), post_edit=settings.post_edit_config(profile))
    base = contestants_by_name([base_name], profile, runtime, EditorOptions(given=settings.sampling()))
    tuned = contestants_by_name([f"{FINE_TUNED}={editor}"], profile, runtime, options)
    names = (BASE, FINE_TUNED, POST_EDITED)
    return [dataclasses.replace(one, name=name) for one, name in zip([*base, *tuned], names, strict=False)]


def _draw(names: Sequence[str], settings: SamplerParams, side: int | None) -> list[Benchmark]:
    return [read_benchmark(n, num_items=settings.num_cases_of(n), seed=settings.seed, side=side) for n in names]


def _sweep(
    params: EvaluationParams,
    settings: PairReportParams,
    profile: Profile,
    editor: Path,
    benchmark: Benchmark,
    folder: Path,
    progress: Progress | None,
) -> dict[str, Any]:
    """Edit a benchmark with base and ``editor`` at the paper's strengths of image guidance, in a run folder."""
    from editfoundry.editors.guidance_sweep import PAPER_IMAGE_GUIDANCE_SCALES
    from editfoundry.editors.open_editor import BASE as BASE_NAME
    from editfoundry.evaluation.metrics.clip_direction import CLIP_DIRECTION
    from editfoundry.evaluation.metrics.metric_models import load_metric_models
    from editfoundry.evaluation.reports.trade_off import run_trade_off, scaled_editors, shown_at_scales
    from editfoundry.evaluation.reports.trade_off_page import sweep_view
    from editfoundry.pretrained.runtime import choose_runtime

    runtime = choose_runtime(params.device)
    own = settings.sampling()
    scale = own.pop("guidance_scale")
    own.pop("image_guidance_scale")
    names = [f"{BASE}={BASE_NAME}", f"{FINE_TUNED}={editor}"]
    scales = PAPER_IMAGE_GUIDANCE_SCALES
    editors = scaled_editors(names, profile, runtime, scales, guidance_scale=scale, options=own)
    found = run_trade_off(
        editors,
        benchmark,
        folder,
        models=load_metric_models(profile, runtime, [CLIP_DIRECTION]),
        guidance_scale=scale,
        seed=settings.seed,
        batch_size=settings.batch_size,
        progress=progress,
    )
    return sweep_view(found, shown_at_scales(folder, editors, settings.seed))


def _run_all(
    params: EvaluationParams,
    settings: SamplerParams,
    profile: Profile,
    contestants: Sequence[Contestant],
    drawn: Sequence[Benchmark],
    runs: Path,
    progress: Progress | None,
) -> dict[str, dict[str, Any]]:
    """Run each benchmark; return its name -> what its ``metrics.json`` holds."""
    from editfoundry.evaluation.benchmark_run import run_benchmark
    from editfoundry.evaluation.metrics.clip_score import CLIP_SCORE
    from editfoundry.evaluation.metrics.metric_models import load_metric_models
    from editfoundry.pretrained.runtime import choose_runtime

    models = load_metric_models(profile, choose_runtime(params.device), [CLIP_SCORE])
    asked = (1 + len(INSTRUCTION_CONTROLS)) * len(contestants)
    counter = _Counter(progress, asked * sum(len(benchmark.items) for benchmark in drawn))
    measured = {}
    for benchmark in drawn:
        measured[benchmark.name] = run_benchmark(
            contestants,
            benchmark,
            runs / benchmark.name,
            models=models,
            metrics=METRICS,
            seed=settings.seed,
            batch_size=settings.batch_size,
            controls=INSTRUCTION_CONTROLS,
            facts={"profile": profile.name},
            progress=counter.of_benchmark,
        )
        counter.next_benchmark()
    return measured


def _drawn_side(editor: Path) -> int | None:
    """Return the side that pictures are drawn at for an editor of larger ones than tinyworld's own; None for these."""
    side = native_side(ModelReference(role="editor_base", source=str(editor.resolve())))
    return None if side is None or side <= IMAGE_SIZE else side


@dataclass
class _Counter:
    """Turns the progress of one benchmark after the other into that of all."""

    progress: Progress | None
    total: int
    before: int = 0
    current: int = 0

    def of_benchmark(self, done: int, _: int) -> None:
        self.current = done
        if self.progress is not None:
            self.progress(self.before + done, self.total)

    def next_benchmark(self) -> None:
        self.before, self.current = self.before + self.current, 0


def _command(report: LineReport, editor: Path, output: Path) -> str:
    """Return what a person types for this report."""
    if report is not WORLD_REPORT:
        return f"editfoundry lineage run {report.section}"
    return shlex.join(["editfoundry", "evaluate", "--editor", _typed(editor), "--out", _typed(output)])


def _typed(path: Path) -> str:
    """Return a path as a person in the current folder types it."""
    here = Path.cwd()
    return str(path.resolve().relative_to(here) if path.resolve().is_relative_to(here) else path)


def _is_done(output: Path, digest: str) -> bool:
    marker = output / _DONE
    return (
        marker.is_file()
        and json.loads(marker.read_text())["input_hash"] == digest
        and all((output / name).is_file() for name in _FILES)
    )


def _timeless(measured: dict[str, Any]) -> dict[str, Any]:
    """Return a run's metrics without what differs from machine to machine and from day to day."""
    editors = {
        name: {key: value for key, value in facts.items() if key not in _COSTS}
        for name, facts in measured["editors"].items()
    }
    return {key: value for key, value in {**measured, "editors": editors}.items() if key != "made"}


def _cover(params: EvaluationParams, report: LineReport, profile: Profile, editor: Path, dataset: Path | None) -> Cover:
    training, counts = _training(editor), _counts(dataset)
    return Cover(
        title=report.title,
        subtitle=f"{params.profile} profile: {report.compares}",
        loss_curve=training.get("loss_curve", ()),
        training={k: training[k] for k in ("num_steps", "seconds", "samples_per_second") if k in training},
        splits=counts.splits,
        stages={} if dataset is None else {"dataset": counts.stage},
        provenance={
            "models": {**{role: str(model) for role, model in profile.models.items()}, "editor": editor.name},
            "parameters": dataclasses.asdict(_settings(params, report)),
            "training": dict(getattr(params, report.training)),
        },
    )


def _training(editor: Path) -> dict[str, Any]:
    path = editor / "training.json"
    return json.loads(path.read_text()) if path.is_file() else {}


@dataclass(frozen=True)
class _DatasetCounts:
    """What a report says of the data set that an editor was trained on."""

    splits: dict[str, int]
    stage: StageResult


def _counts(dataset: Path | None) -> _DatasetCounts:
    if dataset is None:
        return _DatasetCounts({}, StageResult(num_in=0, num_out=0))
    splits = {name: count_triplets(folder) for name, folder in split_folders(dataset).items()}
    rejected, kept = count_by_reason(read_rejections(dataset)), sum(splits.values())
    return _DatasetCounts(splits, StageResult(num_in=kept + sum(rejected.values()), num_out=kept, rejected=rejected))
