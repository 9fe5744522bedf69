"""What each metric is called, measures and is better at; the models behind it are told when they are known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One column of a report."""

    name: str
    label: str
    unit: str
    """``cosine``, ``dB``, ``0 to 1``..."""
    higher_is_better: bool
    role: str = ""
    """The profile's role whose model it needs; empty for none."""
    compares: bool = False
    """Whether it compares the edit with the benchmark's reference, its input or its target."""


@dataclass(frozen=True, kw_only=True)
class MeasuredBy:
    """What a metric was computed with in one run."""

    model: str = ""
    """Model @ revision; empty for none."""
    preprocessing: str = ""
    missing: str | None = None
    """Which weight is missing, in one line; None when nothing is."""


METRICS = (
    Metric(name="clip_score", label="CLIP score", unit="cosine", higher_is_better=True, role="clip"),
    Metric(
        name="clip_image", label="CLIP image similarity", unit="cosine", higher_is_better=True, role="clip",
        compares=True,
    ),
    Metric(
        name="clip_direction", label="CLIP directional similarity", unit="cosine", higher_is_better=True, role="clip"
    ),
    Metric(name="clip_output", label="CLIP-out", unit="cosine", higher_is_better=True, role="clip"),
    Metric(name="clip_r_precision", label="CLIP-R-Precision", unit="0 or 1", higher_is_better=True, role="clip"),
    Metric(name="l1", label="L1", unit="0 to 1", higher_is_better=False, compares=True),
    Metric(name="l2", label="L2 (mean squared)", unit="0 to 1", higher_is_better=False, compares=True),
    Metric(name="psnr", label="PSNR", unit="dB", higher_is_better=True, compares=True),
    Metric(name="ssim", label="SSIM", unit="-1 to 1", higher_is_better=True, compares=True),
    Metric(name="lpips", label="LPIPS", unit="distance", higher_is_better=False, role="lpips", compares=True),
    Metric(name="dino", label="DINO similarity", unit="cosine", higher_is_better=True, role="dino", compares=True),
    Metric(
        name="mllm_bit", label="MLLM score", unit="0 or 1", higher_is_better=True, role="vision_language_model"
    ),
    Metric(
        name="mllm_probability", label='MLLM, probability of "1"', unit="0 to 1", higher_is_better=True,
        role="vision_language_model",
    ),
    Metric(
        name="judge_semantic", label="Judge: semantic alignment", unit="1 to 5", higher_is_better=True,
        role="vision_language_model",
    ),
    Metric(
        name="judge_identity", label="Judge: identity consistency", unit="1 to 5", higher_is_better=True,
        role="vision_language_model",
    ),
    Metric(
        name="judge_quality", label="Judge: image quality", unit="1 to 5", higher_is_better=True,
        role="vision_language_model",
    ),
    Metric(name="outcome", label="Outcome accuracy", unit="0 or 1", higher_is_better=True),
    Metric(name="preservation_psnr", label="Preservation", unit="dB", higher_is_better=True),
)  # fmt: skip
GROUND_TRUTH_METRICS = ("outcome", "preservation_psnr")
"""Only where the benchmark knows the right answer pixel by pixel: tinyworld."""
Scores = dict[str, float | None]
"""Metric -> value of one edit; None where it could not be computed."""


def describe(metric: Metric, measured: MeasuredBy, reference: str) -> dict[str, Any]:
    """Return a metric's entry of ``metrics.json``; ``reference`` is ``input`` or ``truth``."""
    target = {"input": "against the input", "truth": "against the target"}[reference]
    return {
        "label": f"{metric.label}, {target}" if metric.compares else metric.label,
        "model": measured.model,
        "preprocessing": measured.preprocessing,
        "unit": metric.unit,
        "higher_is_better": metric.higher_is_better,
        "missing": measured.missing,
    }
