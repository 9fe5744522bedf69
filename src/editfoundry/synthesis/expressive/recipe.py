"""Expressive instructions for MGIE as a stage of the lineage."""

from __future__ import annotations

from editfoundry.data.stage_result import StageResult
from editfoundry.execution.stage_record import Stage, StageRequest
from editfoundry.pretrained.fitness import check_models
from editfoundry.profiles import load_profile
from editfoundry.synthesis.expressive.config import ExpressiveConfig

LINE = "mgie"
"""Line of the lineage that begins with these instructions."""


def run_expressive(request: StageRequest) -> StageResult:
    """Say of each triplet of the data set's training split what its edit will look like.

    Raises:
        BadInputError: there is no data set, or the output holds something else.
        UnavailableError: the model's endpoint left questions unanswered.
    """
    from editfoundry.synthesis.expressive.stage import express

    params = request.params
    return express(
        request.source / "train",
        request.output,
        params.expressive,
        load_profile(params.profile),
        params.device,
        request.progress,
        request.only,
        request.replace,
    )


def check_expressive(request: StageRequest) -> None:
    """Raise BadInputError where the profile lacks a model that is asked."""
    check_models(load_profile(request.params.profile), request.params.expressive.roles)


EXPRESSIVE = Stage(
    name="expressive",
    group="triplets",
    output="data/expressive",
    inputs=("dataset",),
    doing="saying what each edit will look like",
    description="The data set's training triplets, each with what a vision-language model says its edit will "
    "look like.",
    config=ExpressiveConfig,
    run=run_expressive,
    check=check_expressive,
    commands=("express {sources[0]}/train {output}",),
    loads_models=True,
    kinds=("webdataset",),
    line=LINE,
)
