"""The models that metrics need, each loaded once; one that is not there leaves its metrics out, never another in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from PIL import Image

from editfoundry.errors import MissingModelError
from editfoundry.evaluation.clip_scores import ClipEncoder
from editfoundry.evaluation.metrics.clip_metrics import NUM_CANDIDATES
from editfoundry.evaluation.metrics.judge_metrics import PREPROCESSING as JUDGE_PREPROCESSING
from editfoundry.evaluation.metrics.metric import MeasuredBy, Metric
from editfoundry.evaluation.metrics.pixel_metrics import PREPROCESSING, SSIM_PREPROCESSING
from editfoundry.evaluation.metrics.truth_metrics import OUTCOME_PREPROCESSING, PRESERVATION_PREPROCESSING
from editfoundry.profiles import Profile

if TYPE_CHECKING:
    from editfoundry.pretrained.dino import DinoEncoder
    from editfoundry.pretrained.lpips import Lpips
    from editfoundry.pretrained.runtime import Runtime
    from editfoundry.pretrained.vision_language_model import VisionLanguageModel

_WITHOUT_MODEL = {
    "l1": PREPROCESSING,
    "l2": PREPROCESSING,
    "psnr": PREPROCESSING,
    "ssim": SSIM_PREPROCESSING,
    "outcome": OUTCOME_PREPROCESSING,
    "preservation_psnr": PRESERVATION_PREPROCESSING,
}
_REMARKS = {
    "clip_score": "cosine with the output caption (EditWorld)",
    "clip_output": "the same cosine as CLIP score, under Emu Edit's name",
    "clip_direction": "cos(I1 - I0, T1 - T0) of unit embeddings (InstructPix2Pix)",
    "clip_r_precision": f"own caption against up to {NUM_CANDIDATES - 1} others of the benchmark, drawn by seed",
}


@dataclass(frozen=True, kw_only=True)
class MetricModels:
    """What there is; None for what is missing."""

    clip: ClipEncoder | None = None
    dino: DinoEncoder | None = None
    lpips: Lpips | None = None
    vision_language_model: VisionLanguageModel | None = None
    missing: Mapping[str, str] = field(default_factory=dict)
    """Role -> which weight is missing."""

    def measured_by(self, metric: Metric) -> MeasuredBy:
        """Return what a metric is computed with here."""
        if not metric.role:
            return MeasuredBy(preprocessing=_WITHOUT_MODEL[metric.name])
        model = getattr(self, metric.role)
        if model is None:
            return MeasuredBy(missing=self.missing.get(metric.role, f"no model for the role {metric.role!r}"))
        parts = [_preprocessing(metric.role, model), _REMARKS.get(metric.name, "")]
        return MeasuredBy(model=model.name, preprocessing="; ".join(part for part in parts if part))


def load_metric_models(profile: Profile, runtime: Runtime) -> MetricModels:
    """Load what the profile names of CLIP, DINO, LPIPS and the vision-language model."""
    from editfoundry.pretrained.clip import load_clip
    from editfoundry.pretrained.dino import load_dino
    from editfoundry.pretrained.lpips import load_lpips
    from editfoundry.pretrained.vision_language_model import load_vision_language_model

    loaders: dict[str, Callable[[Profile, Runtime], Any]] = {
        "clip": load_clip,
        "dino": load_dino,
        "lpips": load_lpips,
        "vision_language_model": load_vision_language_model,
    }
    models: dict[str, Any] = {}
    missing: dict[str, str] = {}
    for role, load in loaders.items():
        try:
            models[role] = load(profile, runtime)
        except MissingModelError as error:
            missing[role] = " ".join(str(error).split())
    return MetricModels(**models, missing=missing)


def _preprocessing(role: str, model: Any) -> str:
    if role == "lpips":
        return f"{PREPROCESSING}; scaled to [-1, 1]; version 0.1"
    if role == "vision_language_model":
        return JUDGE_PREPROCESSING
    processor = getattr(model, "processor", None)
    described = describe_processor(getattr(processor, "image_processor", processor))
    tokenizer = getattr(processor, "tokenizer", None)
    return f"{described}; captions cut at {tokenizer.model_max_length} tokens" if tokenizer is not None else described


def describe_processor(processor: Any) -> str:
    """Return what an image processor of transformers does to a picture, in words."""
    if processor is None:
        return ""
    size = getattr(processor, "size", None) or {}
    steps = []
    if getattr(processor, "do_resize", False):
        lengths = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in dict(size).items() if value)
        resample = getattr(processor, "resample", None)
        how = "" if resample is None else f" ({Image.Resampling(int(resample)).name.lower()})"
        steps.append(f"resized to {lengths}{how}")
    if getattr(processor, "do_center_crop", False):
        crop = dict(processor.crop_size)
        steps.append(f"centre crop {crop.get('height')} x {crop.get('width')}")
    return ", ".join(steps)
