"""What became of each quadruple in one arm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from editfoundry.curation.curate import check_scores
from editfoundry.curation.curation_config import CurationConfig
from editfoundry.data.record import Quadruple, Triplet
from editfoundry.data.shards import read_triplets
from editfoundry.errors import Rejection
from editfoundry.pretrained.clip import ClipEncoder
from editfoundry.pretraining.triplet_truth import triplet_verdict
from editfoundry.pretraining.unedited import identity_similarity, preservation_psnr

MEASURES = ("right", "kept", "identity", "preservation")


@dataclass(frozen=True, kw_only=True)
class ArmOutcomes:
    """One value for each quadruple, all in the same order in every arm; NaN where there is none."""

    right: np.ndarray
    """``(N,)``: 1 where the output picture shows the true outcome, else 0; NaN where no triplet was made."""
    kept: np.ndarray
    """``(N,)``: 1 where the data set's thresholds are passed, else 0."""
    identity: np.ndarray
    """``(N,)``: CLIP similarity of the unedited object in both pictures; NaN where there is none."""
    preservation: np.ndarray
    """``(N,)``: PSNR in dB against the input picture outside of what truly changes."""


def read_outcomes(
    triplets: Path, quadruples: Sequence[Quadruple], thresholds: CurationConfig, clip: ClipEncoder
) -> ArmOutcomes:
    """Measure an arm's triplets, one in memory at a time.

    Args:
        triplets: folder of its shards.
        quadruples: what they were made of; their texts tell which triplet is whose.
        thresholds: what a data set would keep; duplicates and splits do not matter here.
        clip: compares the pictures of an object.
    """
    rows = {_texts(quadruple): number for number, quadruple in enumerate(quadruples)}
    table = {name: np.full(len(quadruples), np.nan) for name in MEASURES}
    for triplet in read_triplets(triplets):
        row = rows[_texts(triplet)]
        for name, value in _measured(triplet, thresholds, clip).items():
            table[name][row] = value
    return ArmOutcomes(**table)


def _texts(record: Quadruple | Triplet) -> tuple[str, str, str]:
    return record.input_caption, record.instruction, record.output_caption


def _measured(triplet: Triplet, thresholds: CurationConfig, clip: ClipEncoder) -> Mapping[str, float]:
    return {
        "right": _is_right(triplet),
        "kept": float(_is_kept(triplet, thresholds)),
        "identity": identity_similarity(triplet, clip),
        "preservation": preservation_psnr(triplet),
    }


def _is_right(triplet: Triplet) -> float:
    verdict = triplet_verdict(triplet)
    return float(verdict is not None and verdict.right)


def _is_kept(triplet: Triplet, thresholds: CurationConfig) -> bool:
    row = {name: getattr(triplet, name) for name in ("recipe", "scores", "input_caption", "output_caption")}
    try:
        check_scores(row, thresholds)
    except Rejection:
        return False
    return True
