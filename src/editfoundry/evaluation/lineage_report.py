"""Evaluates an editor against its base on tinyworld's benchmarks and writes the lineage's report."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from editfoundry.data.hashing import file_hash, input_hash
from editfoundry.data.output_folder import claim_output
from editfoundry.data.rejections import count_by_reason, read_rejections
from editfoundry.data.shards import count_triplets
from editfoundry.data.split_leaks import split_folders
from editfoundry.data.stage import StageResult
from editfoundry.evaluation.evaluate import Evaluation, evaluate_editors
from editfoundry.evaluation.grid import grid_png
from editfoundry.evaluation.json_file import write_json
from editfoundry.evaluation.report import BenchmarkSection, Report, write_report
from editfoundry.evaluation.report_params import ReportParams
from editfoundry.evaluation.summary import BASE, FINE_TUNED, POST_EDITED, editor_names, summarise, write_results
from editfoundry.evaluation.tables import summary_markdown
from editfoundry.profiles import load_profile

if TYPE_CHECKING:
    from editfoundry.editors.post_edit.models import PostEditModels
    from editfoundry.editors.post_edit.post_edit_config import PostEditConfig
    from editfoundry.lineage.params import Params
    from editfoundry.tinyworld.edit_case import EditCase

STAGE = "report"
NUM_SHOWN_PER_CATEGORY = 4
"""Cases whose pictures the report shows; ``grid.png`` has the first of each category."""
BENCHMARKS = {
    "tinyworld-world": "World instructions: trained rules in unseen combinations and unseen wordings.",
    "tinyworld-new-rules": "Rules that no training data shows; their kin are trained.",
    "tinyworld-plain": "Plain add, change and remove edits, which world data may not unlearn.",
}
_DONE = "evaluated.json"

Progress = Callable[[int, int], None]


def evaluate_checkpoint(
    params: Params,
    editor: Path,
    output: Path,
    dataset: Path | None = None,
    benchmarks: Sequence[str] = tuple(BENCHMARKS),
    progress: Progress | None = None,
) -> bool:
    """Edit the benchmarks' cases with the profile's base and with ``editor``; write report, summary and metrics.

    Nothing is redone when the checkpoint and the parameters are those of the report that is there.

    Args:
        params: profile, sampler settings, numbers of cases, seed.
        editor: the fine-tuned editor's diffusers folder.
        output: gets ``report.html``, ``summary.json``, ``metrics.json``, ``table.md`` and ``grid.png``.
        dataset: the data set it was trained on, for the report's counts.
        benchmarks: names from ``BENCHMARKS``; the first is the headline.
        progress: called with edits done and edits in all.

    Returns:
        Whether anything had to be done.

    Raises:
        BadInputError: there is no editor, or ``output`` holds something else.
    """
    from editfoundry.pretrained.clip import load_clip
    from editfoundry.pretrained.editor import load_editor, load_editor_base
    from editfoundry.pretrained.runtime import choose_runtime

    profile, runtime = load_profile(params.profile), choose_runtime(params.device)
    fine_tuned = load_editor(editor, runtime)
    claim_output(output, STAGE)
    weights = sorted(editor.glob("**/*.safetensors"))
    digest = input_hash([file_hash(w) for w in weights], dataclasses.asdict(params), list(benchmarks))
    if _is_done(output, digest):
        return False
    settings = params.editworld_report
    editors = {
        BASE: partial(_edit, load_editor_base(profile, runtime), settings),
        FINE_TUNED: partial(_edit, fine_tuned, settings),
    }
    post_edit = settings.post_edit_config(profile)
    if post_edit is not None:
        from editfoundry.editors.post_edit.models import load_post_edit_models

        models = load_post_edit_models(profile, runtime)
        editors[POST_EDITED] = partial(_post_edit, fine_tuned, models, post_edit, settings)
    clip = load_clip(profile, runtime)
    cases = {name: _cases(name, settings) for name in benchmarks}
    counter = _Counter(progress, len(editors) * sum(map(len, cases.values())))
    results = {
        name: evaluate_editors(
            editors,
            chosen,
            clip,
            seed=settings.seed,
            batch_size=settings.batch_size,
            num_shown_per_category=NUM_SHOWN_PER_CATEGORY,
            progress=counter.add,
        )
        for name, chosen in cases.items()
    }
    _write(output, params, editor, dataset, results)
    write_json(output / _DONE, {"input_hash": digest})
    return True


def log_to_mlflow(folder: Path, params: Params, root: Path) -> None:
    """Log a report as one MLflow run: its overall metrics, its parameters, its files."""
    from editfoundry.evaluation.reports.mlflow_log import log_means
    from editfoundry.tracking.mlflow_client import default_tracking_uri, source_tags, tracked_run

    summary = json.loads((folder / "summary.json").read_text())
    settings = dataclasses.asdict(params.editworld_report)
    with tracked_run(
        "evaluation", folder.name, settings, source_tags(root), default_tracking_uri(root), root=root
    ) as run:
        for editor in editor_names(summary):
            log_means(run, editor, summary[editor]["overall"])
        for name in ("report.html", "summary.json", "grid.png"):
            run.log_artifact(folder / name)


def _is_done(output: Path, digest: str) -> bool:
    marker = output / _DONE
    files = ("report.html", "summary.json", "metrics.json")
    return (
        marker.is_file()
        and json.loads(marker.read_text())["input_hash"] == digest
        and all((output / name).is_file() for name in files)
    )


def _cases(name: str, settings: ReportParams) -> list[EditCase]:
    from editfoundry.tinyworld.benchmark import plain_cases, world_cases

    if name == "tinyworld-world":
        return world_cases("test", settings.num_world_cases, settings.seed)
    if name == "tinyworld-new-rules":
        return world_cases("test-new-rules", settings.num_new_rule_cases, settings.seed)
    return plain_cases(settings.num_plain_cases, settings.seed)


def _edit(
    pipeline: Any,
    settings: ReportParams,
    images: Sequence[Image.Image],
    instructions: Sequence[str],
    seeds: Sequence[int],
) -> list[Image.Image]:
    from editfoundry.editors.families.instruct_pix2pix.sampling import edit_images

    return edit_images(
        pipeline, images, instructions, seeds=seeds, num_inference_steps=settings.num_inference_steps,
        guidance_scale=settings.guidance_scale, image_guidance_scale=settings.image_guidance_scale,
    )  # fmt: skip


def _post_edit(
    pipeline: Any,
    models: PostEditModels,
    config: PostEditConfig,
    settings: ReportParams,
    images: Sequence[Image.Image],
    instructions: Sequence[str],
    seeds: Sequence[int],
) -> list[Image.Image]:
    from editfoundry.editors.post_edit.post_edit import post_edit_images

    made = post_edit_images(
        pipeline, models, images, instructions, seeds=seeds, config=config,
        num_inference_steps=settings.num_inference_steps, guidance_scale=settings.guidance_scale,
        image_guidance_scale=settings.image_guidance_scale,
    )  # fmt: skip
    return [edit.image for edit in made]


class _Counter:
    """Turns increments into progress calls."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self.progress, self.total, self.done = progress, total, 0

    def add(self, count: int) -> None:
        self.done += count
        if self.progress is not None:
            self.progress(self.done, self.total)


def _write(output: Path, params: Params, editor: Path, dataset: Path | None, results: dict[str, Evaluation]) -> None:
    summaries = {name: summarise(evaluation, name) for name, evaluation in results.items()}
    training = _training(editor)
    report = Report(
        title="EditWorld on tinyworld",
        subtitle=f"{params.profile} profile: the base editor against the one fine-tuned on synthesized triplets",
        sections=[
            BenchmarkSection(summary=summaries[name], evaluation=results[name], description=BENCHMARKS[name])
            for name in results
        ],
        loss_curve=training.get("loss_curve", ()),
        training={k: training[k] for k in ("num_steps", "seconds", "samples_per_second") if k in training},
        splits={} if dataset is None else {name: count_triplets(f) for name, f in split_folders(dataset).items()},
        stages={} if dataset is None else _stages(dataset),
        provenance=_provenance(params, editor),
    )
    write_results(output, [(summaries[name], results[name]) for name in results])
    first = next(iter(results))
    (output / "table.md").write_text(summary_markdown(summaries[first]) + "\n")
    grid_png(output / "grid.png", results[first].shown[::NUM_SHOWN_PER_CATEGORY])
    write_report(output / "report.html", report)


def _training(editor: Path) -> dict[str, Any]:
    path = editor / "training.json"
    return json.loads(path.read_text()) if path.is_file() else {}


def _stages(dataset: Path) -> dict[str, StageResult]:
    counts = count_by_reason(read_rejections(dataset))
    kept = sum(count_triplets(folder) for folder in split_folders(dataset).values())
    return {"dataset": StageResult(num_in=kept + sum(counts.values()), num_out=kept, rejected=counts)}


def _provenance(params: Params, editor: Path) -> dict[str, dict[str, object]]:
    profile = load_profile(params.profile)
    return {
        "models": {**{role: str(model) for role, model in profile.models.items()}, "editor": editor.name},
        "parameters": dataclasses.asdict(params.editworld_report),
        "training": dict(params.editworld),
    }
