"""What ``editfoundry evaluate`` does: editors by name, on a benchmark by name, into a run folder with its reports."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from editfoundry.evaluation.benchmarks.item import Benchmark
from editfoundry.evaluation.benchmarks.reading import benchmark_definition, read_benchmark
from editfoundry.evaluation.made_by import MadeBy
from editfoundry.evaluation.report_params import EvaluationParams, ReportParams
from editfoundry.profiles import load_profile


@dataclass(frozen=True, kw_only=True)
class EvaluationRequest:
    """What to evaluate."""

    editors: Sequence[str]
    """Names as of ``contestants_by_name``."""
    benchmark: str
    benchmark_folder: Path | None = None
    dataset: Path | None = None
    """Data set that the editors were trained on: its pictures and captions are looked for in the benchmark."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Sampling options that the person gave."""
    num_items: int | None = None
    seed: int | None = None
    """By default the parameters' own."""
    batch_size: int | None = None
    post_edit: bool = False
    keep_below: float | None = None
    """Beside each editor, itself with its input's pixels kept; see `EditorOptions`."""
    controls: bool | None = None
    """Measure the controls too; by default where the benchmark knows the truth pixel by pixel."""


def evaluate_by_name(
    request: EvaluationRequest,
    params: EvaluationParams,
    output: Path,
    progress: Callable[[int, int], None] | None = None,
    made: MadeBy | None = None,
) -> dict[str, Any]:
    """Run the editors on the benchmark and write metrics and reports; return what ``metrics.json`` holds.

    tinyworld's benchmarks take their size and InstructPix2Pix's sampling from ``params.editworld_report`` where the
    request leaves them open; on other benchmarks editors keep their own defaults.

    Raises:
        BadInputError: an editor, the benchmark's folder, an option or ``output`` cannot be used.
    """
    settings = params.editworld_report.asking_for_post_edit() if request.post_edit else params.editworld_report
    seed = settings.seed if request.seed is None else request.seed
    # A wrong folder or profile is told before torch is imported, which takes seconds.
    profile, benchmark = load_profile(params.profile), _benchmark(request, settings, seed)
    from editfoundry.evaluation.benchmark_run import check_contestants, run_benchmark
    from editfoundry.evaluation.contestants_by_name import EditorOptions, contestants_by_name
    from editfoundry.evaluation.controls import INSTRUCTION_CONTROLS
    from editfoundry.evaluation.metrics.all_metrics import METRICS
    from editfoundry.evaluation.metrics.metric_models import load_metric_models
    from editfoundry.evaluation.reports import write_reports
    from editfoundry.pretrained.runtime import choose_runtime

    runtime = choose_runtime(params.device)
    knows_truth = benchmark_definition(benchmark.name).knows_truth
    options = EditorOptions(
        given=request.options,
        defaults=settings.sampling() if knows_truth else {},
        post_edit=settings.post_edit_config(profile),
        keep_below=request.keep_below,
    )
    contestants = contestants_by_name(request.editors, profile, runtime, options)
    check_contestants(contestants)
    metrics = run_benchmark(
        contestants,
        benchmark,
        output,
        models=load_metric_models(profile, runtime, METRICS),
        seed=seed,
        batch_size=request.batch_size or settings.batch_size,
        controls=INSTRUCTION_CONTROLS if (knows_truth if request.controls is None else request.controls) else (),
        facts=_facts(request, params, benchmark),
        made=made,
        progress=progress,
    )
    write_reports(output, seed)
    return metrics


def _benchmark(request: EvaluationRequest, settings: ReportParams, seed: int) -> Benchmark:
    count = settings.num_cases_of(request.benchmark) if request.num_items is None else request.num_items
    return read_benchmark(request.benchmark, request.benchmark_folder, num_items=count, seed=seed)


def _facts(request: EvaluationRequest, params: EvaluationParams, benchmark: Benchmark) -> dict[str, object]:
    facts: dict[str, object] = {"profile": params.profile}
    if request.dataset is not None:
        from editfoundry.evaluation.benchmark_leaks import find_benchmark_leaks

        found = find_benchmark_leaks(benchmark.items, request.dataset)
        facts["leaks"] = {
            "num_leaks": len(found.leaks),
            "num_shared_texts": len(found.shared_texts),
            "leaks": [dataclasses.asdict(leak) for leak in found.leaks],
        }
    return facts
