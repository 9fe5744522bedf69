"""What is worth seeing of each stage's output, as metadata of its asset."""

import json
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import dagster as dg
from PIL import Image

from dagster_project.defs.reports.shown_report import show_report
from dagster_project.links import mlflow_link
from dagster_project.metadata import curves, distributions, picture, shares, table, text_list, thumbnails
from dagster_project.stage_asset import Show, StageRun
from editfoundry.data.record import Caption, Clip, Quadruple
from editfoundry.execution.stage_record import Stage

NUM_EXAMPLES = 8
TASK_COLUMNS = {
    "task": "Of Emu Edit's sixteen.",
    "kept": "Pairs that are kept.",
    "dropped": "Candidates and edits that fell.",
    "share": "Kept, of both, 0 to 1.",
    "reasons": "Why they fell, and how many.",
}


def show_of(stage: Stage) -> Show:
    """Return what shows a stage's output: its own function, else its group's."""
    return SHOW.get(stage.name) or SHOW_GROUP.get(stage.group, show_nothing)


def show_nothing(run: StageRun) -> Mapping[str, Any]:
    """Return no metadata beside the counts that every stage has."""
    return {}


def show_captions(run: StageRun) -> Mapping[str, Any]:
    """Return the first captions."""
    from editfoundry.data.tables import read_rows

    examples = [row.caption for row in islice(read_rows(run.folder, Caption), NUM_EXAMPLES)]
    return {"examples": text_list(examples)}


def show_clips(run: StageRun) -> Mapping[str, Any]:
    """Return the first clips: video, second, caption."""
    from editfoundry.data.tables import read_rows

    examples = [
        f"{row.video_id} {row.start:.2f} s: {row.caption}" for row in islice(read_rows(run.folder, Clip), NUM_EXAMPLES)
    ]
    return {"examples": text_list(examples)}


def show_quadruples(run: StageRun) -> Mapping[str, Any]:
    """Return the first quadruples, and how many there are of each category."""
    from editfoundry.data.tables import read_rows

    examples = [
        f"{row.category}: {row.input_caption} -> {row.instruction} -> {row.output_caption} ({', '.join(row.keywords)})"
        for row in islice(read_rows(run.folder, Quadruple), NUM_EXAMPLES)
    ]
    return {
        "examples": text_list(examples),
        "categories": shares(row.category for row in read_rows(run.folder, Quadruple)),
    }


def show_triplets(run: StageRun) -> Mapping[str, Any]:
    """Return pictures, categories and score histograms of a folder of triplet shards."""
    from editfoundry.data.shards import read_fields

    return {
        "thumbnails": thumbnails(run.folder),
        "categories": shares(row["category"] for row in read_fields(run.folder)),
        **distributions((row["scores"] for row in read_fields(run.folder)), "scores"),
    }


def show_tasks(run: StageRun) -> Mapping[str, Any]:
    """Return what is shown of triplets, and what was kept and dropped of each task, with the reasons."""
    from editfoundry.synthesis.emu_edit.kept_shares import shares_by_task

    rows = [
        {
            "task": one.task,
            "kept": one.num_kept,
            "dropped": one.dropped.total(),
            "share": one.share,
            "reasons": ", ".join(f"{reason} {count}" for reason, count in one.dropped.most_common()),
        }
        for one in shares_by_task(run.folder)
    ]
    return {**show_triplets(run), "tasks": table(rows, TASK_COLUMNS)}


def show_pairs(run: StageRun) -> Mapping[str, Any]:
    """Return pictures and measures of pairs that have no instruction yet."""
    from editfoundry.data.shards import read_fields

    measured = distributions((row["scores"] for row in read_fields(run.folder)), "measures")
    return {"thumbnails": thumbnails(run.folder), **measured}


def show_captioned_pictures(run: StageRun) -> Mapping[str, Any]:
    """Return the first pictures and their captions."""
    from editfoundry.data.captioned_pictures import open_captioned_pictures
    from editfoundry.data.thumbnails import picture_row

    found = open_captioned_pictures(run.folder, run.paths.root / ".cache" / "training")
    few = range(min(NUM_EXAMPLES, len(found)))
    return {
        "thumbnails": picture(picture_row([found.picture(number) for number in few]), "the first pictures"),
        "examples": text_list([found.caption(number) for number in few]),
    }


def show_dataset(run: StageRun) -> Mapping[str, Any]:
    """Return the splits' sizes, and pictures, categories and score histograms of the training split."""
    from editfoundry.data.shards import count_triplets, read_fields
    from editfoundry.data.split_leaks import split_folders

    splits = split_folders(run.folder)
    return {
        **{f"num_{name}": count_triplets(folder) for name, folder in splits.items()},
        "thumbnails": thumbnails(splits["train"]),
        "categories": shares(row["category"] for row in read_fields(splits["train"])),
        **distributions((row["scores"] for row in read_fields(splits["train"])), "scores"),
    }


def show_checkpoint(run: StageRun) -> Mapping[str, Any]:
    """Return how training went, the last picture made on the way, the checkpoint's size, and its run in MLflow."""
    from editfoundry.tracking.model_registry import TRAINING_SUMMARY
    from editfoundry.training.metrics_log import RUN_HASH_TAG

    training = json.loads((run.folder / TRAINING_SUMMARY).read_text())
    files = [file for file in run.folder.rglob("*") if file.is_file()]
    losses = {"training": training["loss_curve"], "validation": training.get("validation_losses", [])}
    root, experiment = run.paths.root, training["config"]["mlflow_experiment"]
    return {
        "num_steps": training["num_steps"],
        "final_loss": training["final_loss"],
        "seconds": training["seconds"],
        "samples_per_second": training["samples_per_second"],
        "loss": curves({name: points for name, points in losses.items() if points}, "loss"),
        **_last_sample(run.folder),
        "megabytes": sum(file.stat().st_size for file in files) / 1e6,
        "mlflow_run": mlflow_link(experiment, RUN_HASH_TAG, training["run_hash"], root),
    }


SHOW: dict[str, Show] = {
    "captions": show_captions,
    "quadruples": show_quadruples,
    "clips": show_clips,
    "frame_pairs": show_pairs,
    "dataset": show_dataset,
    "emu_edit_pairs": show_tasks,
    "captioned_pictures": show_captioned_pictures,
}
"""Stage -> what shows its output, where that is not what is shown of its group."""
SHOW_GROUP: dict[str, Show] = {"triplets": show_triplets, "checkpoints": show_checkpoint, "reports": show_report}


def _last_sample(folder: Path) -> dict[str, dg.MetadataValue]:
    from editfoundry.training.sample_pictures import sample_paths

    paths = sample_paths(folder)
    return {"samples": picture(Image.open(paths[-1]), "input, edit and target")} if paths else {}
