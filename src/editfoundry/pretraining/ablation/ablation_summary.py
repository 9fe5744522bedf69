"""Shares, means and differences of the arms, each with its 95 % interval."""

from __future__ import annotations

from typing import Any

import numpy as np

from editfoundry.evaluation.bootstrap import NUM_RESAMPLES, Interval, bootstrap_interval, paired_difference
from editfoundry.pretraining.ablation.outcomes import ArmOutcomes


def summarize(arm: ArmOutcomes, full: ArmOutcomes, seed: int) -> dict[str, Any]:
    """Return an arm's numbers and how they differ from the full branch's, as plain data.

    Quadruples are resampled, the same ones in both arms: what makes one hard for both cancels out.
    """
    kept = arm.kept == 1
    return {
        "num_made": int(np.isfinite(arm.right).sum()),
        "kept_share": bootstrap_interval(arm.kept, seed=seed).to_dict(),
        "right_share": bootstrap_interval(arm.right, seed=seed).to_dict(),
        "right_share_of_kept": bootstrap_interval(arm.right[kept], seed=seed).to_dict(),
        "right_share_of_dropped": bootstrap_interval(arm.right[arm.kept == 0], seed=seed).to_dict(),
        "identity": bootstrap_interval(arm.identity, seed=seed).to_dict(),
        "preservation_psnr": bootstrap_interval(arm.preservation, seed=seed).to_dict(),
        "difference_from_full": {
            "right_share": paired_difference(full.right, arm.right, seed=seed).to_dict(),
            "right_share_of_kept": kept_difference(full, arm, seed=seed).to_dict(),
            "identity": paired_difference(full.identity, arm.identity, seed=seed).to_dict(),
            "preservation_psnr": paired_difference(full.preservation, arm.preservation, seed=seed).to_dict(),
        },
    }


def kept_difference(
    first: ArmOutcomes, second: ArmOutcomes, *, seed: int, num_resamples: int = NUM_RESAMPLES
) -> Interval:
    """Return the second arm's share of right ones among its kept, less the first's among its own.

    The arms keep different triplets, so each resample of the quadruples gives both shares anew; ``n`` is the number of
    quadruples. All is None where an arm keeps nothing.
    """
    sums = np.stack([values for arm in (first, second) for values in _right_and_kept(arm)])
    if not (sums[1].any() and sums[3].any()):
        return Interval(None, None, None, 0)
    random, count = np.random.default_rng(seed), sums.shape[1]
    drawn = np.stack([sums[:, random.integers(count, size=count)].sum(1) for _ in range(num_resamples)])
    drawn = drawn[(drawn[:, 1] > 0) & (drawn[:, 3] > 0)]
    low, high = np.percentile(_gain(drawn), (2.5, 97.5))
    return Interval(float(_gain(sums.sum(1)[None])[0]), float(low), float(high), count)


def _right_and_kept(arm: ArmOutcomes) -> tuple[np.ndarray, np.ndarray]:
    kept = arm.kept == 1
    return np.where(kept, arm.right, 0), kept.astype(np.float64)


def _gain(sums: np.ndarray) -> np.ndarray:
    """Turn ``(R, 4)`` numbers right and kept of both arms into ``(R,)`` differences of shares."""
    return np.asarray(sums[:, 2] / sums[:, 3] - sums[:, 0] / sums[:, 1])
