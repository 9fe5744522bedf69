"""What a vision-language model says of an edit: EditWorld's one-bit question, and the judge's scales from 1 to 5."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from editfoundry.evaluation.metrics.edited_batch import EditedBatch
from editfoundry.evaluation.metrics.metric import Metric, MetricModel
from editfoundry.judging import PROMPT_VERSION, EditPair, JudgeConfig, Judgement, judge_pairs

if TYPE_CHECKING:
    from editfoundry.pretrained.runtime import Runtime
    from editfoundry.pretrained.vision_language_model import VisionLanguageModel
    from editfoundry.profiles import Profile


def _load(profile: Profile, runtime: Runtime) -> VisionLanguageModel:
    from editfoundry.pretrained.vision_language_model import load_vision_language_model

    return load_vision_language_model(profile, runtime)


_JUDGE = MetricModel(
    role="vision_language_model",
    load=_load,
    describe=lambda model: (
        f"questions of version {PROMPT_VERSION}; values are expectations over the answer's tokens, "
        'the score is whether "1" is likelier than "0"'
    ),
)


def _judgements(edits: EditedBatch) -> dict[int, Judgement]:
    """Return row -> judgement of every edit that was made; the model is asked once for all metrics."""
    model: VisionLanguageModel = edits.batch.measurement.models.by_role["vision_language_model"]
    pairs = [
        EditPair(
            input_image=edits.batch.pictures[row].input_image,
            output_image=edits.edit(row),
            instruction=edits.item(row).instruction,
            input_caption=edits.item(row).input_caption or "",
            output_caption=edits.item(row).output_caption or "",
        )
        for row in edits.made
    ]
    judged = judge_pairs(model, pairs, JudgeConfig(reasons=False, captions=False))
    return dict(zip(edits.made, judged, strict=True))


def _said(value: Callable[[Judgement], float]) -> Callable[[EditedBatch, Sequence[int]], list[float]]:
    def compute(edits: EditedBatch, rows: Sequence[int]) -> list[float]:
        judged = edits.once("judgements", lambda: _judgements(edits))
        return [value(judged[row]) for row in rows]

    return compute


def _scale(name: str, label: str, measures: str, value: Callable[[Judgement], float]) -> Metric:
    return Metric(
        name=name,
        label=label,
        measures=measures,
        unit="1 to 5",
        higher_is_better=True,
        compute=_said(value),
        model=_JUDGE,
        is_costly=True,
        decimals=2,
    )


MLLM_BIT = Metric(
    name="mllm_bit",
    label="MLLM score",
    measures='1 when the model thinks "1" likelier than "0" on the paper\'s question (EditWorld, section 5).',
    unit="0 or 1",
    higher_is_better=True,
    compute=_said(lambda judgement: float(judgement.success > 0.5)),
    model=_JUDGE,
    is_costly=True,
    decimals=3,
)
MLLM_PROBABILITY = Metric(
    name="mllm_probability",
    label='MLLM, probability of "1"',
    measures='The probability of that "1", which does not saturate as soon.',
    unit="0 to 1",
    higher_is_better=True,
    compute=_said(lambda judgement: judgement.success),
    model=_JUDGE,
    is_costly=True,
    decimals=3,
)
JUDGE_SEMANTIC = _scale(
    "judge_semantic",
    "Judge: semantic alignment",
    "How well the edit does what the instruction says, by the judge.",
    lambda judgement: judgement.semantic_alignment,
)
JUDGE_IDENTITY = _scale(
    "judge_identity",
    "Judge: identity consistency",
    "How well the edit keeps what it should, by the judge.",
    lambda judgement: judgement.identity_consistency,
)
JUDGE_QUALITY = _scale(
    "judge_quality",
    "Judge: image quality",
    "How good the picture is, by the judge.",
    lambda judgement: judgement.image_quality,
)
