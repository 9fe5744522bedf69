"""All metrics, in the order of reports; everything that names metrics is derived from this list."""

from __future__ import annotations

from editfoundry.evaluation.metrics.asked_attributes import ASKED_ATTRIBUTES
from editfoundry.evaluation.metrics.clip_direction import CLIP_DIRECTION
from editfoundry.evaluation.metrics.clip_image import CLIP_IMAGE
from editfoundry.evaluation.metrics.clip_r_precision import CLIP_R_PRECISION
from editfoundry.evaluation.metrics.clip_score import CLIP_OUTPUT, CLIP_SCORE
from editfoundry.evaluation.metrics.dino_similarity import DINO
from editfoundry.evaluation.metrics.editbench_clip_score import EDITBENCH_CLIP_SCORE
from editfoundry.evaluation.metrics.editbench_r_precision import EDITBENCH_R_PRECISION
from editfoundry.evaluation.metrics.judged_edits import (
    JUDGE_IDENTITY,
    JUDGE_QUALITY,
    JUDGE_SEMANTIC,
    MLLM_BIT,
    MLLM_PROBABILITY,
)
from editfoundry.evaluation.metrics.lpips_distance import LPIPS
from editfoundry.evaluation.metrics.metric import Metric
from editfoundry.evaluation.metrics.outcome_accuracy import RIGHT, SHARP
from editfoundry.evaluation.metrics.pixel_distances import L1, L2, PSNR
from editfoundry.evaluation.metrics.preservation_psnr import PRESERVATION
from editfoundry.evaluation.metrics.ssim import SSIM

METRICS: tuple[Metric, ...] = (
    RIGHT,
    SHARP,
    *ASKED_ATTRIBUTES,
    CLIP_SCORE,
    MLLM_BIT,
    MLLM_PROBABILITY,
    JUDGE_SEMANTIC,
    JUDGE_IDENTITY,
    JUDGE_QUALITY,
    PRESERVATION,
    CLIP_DIRECTION,
    CLIP_IMAGE,
    CLIP_OUTPUT,
    CLIP_R_PRECISION,
    EDITBENCH_CLIP_SCORE,
    EDITBENCH_R_PRECISION,
    LPIPS,
    DINO,
    L1,
    L2,
    PSNR,
    SSIM,
)
