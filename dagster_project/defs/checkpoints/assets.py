"""Fine-tuned editors, each a folder in diffusers' layout."""

import json

import dagster as dg

from dagster_project.defs.resources import Foundry
from dagster_project.metadata import OWNERS, curve
from editfoundry import lineage


@dg.asset(group_name="checkpoints", owners=OWNERS, kinds={"pytorch", "huggingface"}, deps=["dataset"])
def editworld(foundry: Foundry) -> dg.MaterializeResult:
    """The lineage's editor: the base editor fine-tuned on the data set with Accelerate, in a process of its own."""
    folder = lineage.editworld(foundry.params, foundry.folder)
    training = json.loads((folder / "training.json").read_text())
    return dg.MaterializeResult(
        metadata={
            "folder": dg.MetadataValue.path(folder),
            "num_steps": training["num_steps"],
            "final_loss": training["final_loss"],
            "seconds": training["seconds"],
            "samples_per_second": training["samples_per_second"],
            "loss": curve(training["loss_curve"], "loss"),
            "megabytes": round(sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()) / 1e6, 1),
        }
    )
