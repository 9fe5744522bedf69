"""InstructPix2Pix, sections 3.2 and 4: the choices of its training, one at a time, from one text-to-image model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from editfoundry.claims.claim import Claim, Detail, Finding, level
from editfoundry.claims.scores import BY_ANOTHER, SPECIFIC, ArmScores, gain, gain_by_another, specific_gain
from editfoundry.claims.verdicts import all_of, in_doubt, is_above
from editfoundry.claims.workbench import Workbench
from editfoundry.evaluation.benchmarks.reading import read_benchmark
from editfoundry.evaluation.reports.run_results import RIGHT

_CROPPED = {"random_crop": True, "cache_latents": False}


@dataclass(frozen=True, kw_only=True)
class TrainedArm:
    """One training: what differs from the paper's, which is every claim's other arm."""

    title: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Of `InstructPix2PixTraining`."""
    share: float = 1.0
    """Of the training triplets."""


def _beats(bench: Workbench, *, first: TrainedArm, second: TrainedArm) -> Finding:
    """Compare two trainings on plain edits; both start at the profile's text-to-image model."""
    seed = bench.config.seed
    before, after = (_scores(bench, arm) for arm in (first, second))
    effect, by_another, specific, kept = (
        gain(before, after, RIGHT, seed),
        gain_by_another(before, after, RIGHT, seed),
        specific_gain(before, after, RIGHT, seed),
        gain(before, after, "preservation_psnr", seed),
    )
    return Finding(
        effect=effect,
        verdict=all_of([is_above(effect), is_above(specific)]),
        controls=(Detail(label=BY_ANOTHER, interval=by_another),),
        details=(
            Detail(label=SPECIFIC, interval=specific),
            level(f"Right, {first.title}", before.of(RIGHT), seed),
            level(f"Right, {second.title}", after.of(RIGHT), seed),
            Detail(label="Preservation, gain in dB", interval=kept),
        ),
        note=in_doubt("Specific gain", specific),
    )


def _scores(bench: Workbench, arm: TrainedArm) -> ArmScores:
    chosen = bench.config
    benchmark = read_benchmark("tinyworld-plain", num_items=chosen.num_plain_training_items, seed=chosen.seed)
    editor = bench.trained_on_plain_edits(arm.settings, arm.share)
    return bench.scores(bench.contestant(editor), benchmark)


def _claim(name: str, sentence: str, first: TrainedArm, second: TrainedArm, limits: str = "") -> Claim:
    common = "Plain edits of tinyworld with their true outcomes, far shorter trainings than the paper's"
    return Claim(
        name=name,
        paper="InstructPix2Pix",
        sentence=sentence,
        arms=(first.title, second.title),
        metric="Outcome accuracy on plain edits, paired difference; higher is better.",
        rule="Holds where the intervals of gain and specific gain lie above 0, fails where one lies below it.",
        test=partial(_beats, first=first, second=second),
        limits=f"{common}; {limits}." if limits else f"{common}.",
    )


CONDITIONING_DROPOUT_HELPS = _claim(
    "ip2p-conditioning-dropout",
    "Training without the instruction, the picture or both, now and then, makes guidance by both work.",
    TrainedArm(title="nothing dropped", settings={"conditioning_dropout": 0.0}),
    TrainedArm(title="each dropped with probability 0.05"),
)
ZERO_CHANNELS_HELP = _claim(
    "ip2p-zero-channels",
    "The picture's channels of the widened UNet are better started at zero than at random.",
    TrainedArm(title="started at random", settings={"image_channels": "random"}),
    TrainedArm(title="started at zero"),
    "the paper states its choice and compares it with no other",
)
FINE_TUNING_BEATS_SCRATCH = _claim(
    "ip2p-fine-tuning",
    "Fine-tuning a text-to-image model beats training from scratch.",
    TrainedArm(title="the UNet from scratch", settings={"from_scratch": True}),
    TrainedArm(title="the UNet of the text-to-image model"),
    "autoencoder and text encoder are the same in both arms",
)
ONE_DRAW_BEATS_TWO = _claim(
    "ip2p-one-draw",
    "Both pictures of a pair are better augmented by one draw than by one each.",
    TrainedArm(title="crops drawn apart", settings={**_CROPPED, "augment_apart": True}),
    TrainedArm(title="crops drawn together", settings=_CROPPED),
    "crops alone, since tinyworld's instructions say left and right; the paper compares it with nothing",
)
MORE_DATA_HELPS = _claim(
    "ip2p-more-data",
    "An editor trained on all pairs beats one trained on a tenth of them.",
    TrainedArm(title="a tenth of the pairs", share=0.1),
    TrainedArm(title="all pairs"),
    "both train equally many steps; the paper's figure 10 shows a trade-off of CLIP scores",
)
