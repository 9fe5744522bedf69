"""Fine-tuned editors, each a folder in diffusers' layout."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg

from dagster_project.defs.resources import DvcRepository, Foundry
from dagster_project.metadata import curve
from dagster_project.stage_asset import GPU_POOL, StageConfig, StageRun, materialize_stage, stage_options
from dagster_project.training_process import train_in_a_process
from editfoundry.lineage import stages as lineage


@dg.asset(**stage_options("checkpoints", kinds={"pytorch", "huggingface"}, pool=GPU_POOL, deps=["dataset"]))
def editworld(
    context: dg.AssetExecutionContext,
    config: StageConfig,
    foundry: Foundry,
    dvc: DvcRepository,
    pipes: dg.PipesSubprocessClient,
) -> dg.MaterializeResult:
    """The lineage's editor: the base editor fine-tuned on the data set with Accelerate, in a process of its own."""

    def train(params: lineage.Params, root: Path, progress: lineage.Progress) -> Path:
        train_in_a_process(context, pipes, lineage.write_training_config(params, root))
        return lineage.Paths(root).editworld

    return materialize_stage(context, config, foundry, dvc, show=_show_checkpoint, execute=train)


def _show_checkpoint(run: StageRun) -> Mapping[str, Any]:
    training = json.loads((run.folder / "training.json").read_text())
    files = [file for file in run.folder.rglob("*") if file.is_file()]
    return {
        "num_steps": training["num_steps"],
        "final_loss": training["final_loss"],
        "seconds": training["seconds"],
        "samples_per_second": training["samples_per_second"],
        "loss": curve(training["loss_curve"], "loss"),
        "megabytes": round(sum(file.stat().st_size for file in files) / 1e6, 1),
    }
