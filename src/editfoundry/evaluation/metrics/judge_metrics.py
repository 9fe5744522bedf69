"""What a vision-language model says of an edit: EditWorld's one-bit question, and the judge's scales from 1 to 5."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from editfoundry.evaluation.metrics.edits import MadeEdit
from editfoundry.evaluation.metrics.metric import Scores
from editfoundry.judging import PROMPT_VERSION, EditPair, JudgeConfig, judge_pairs

if TYPE_CHECKING:
    from editfoundry.pretrained.vision_language_model import VisionLanguageModel

PREPROCESSING = (
    f"questions of version {PROMPT_VERSION}; values are expectations over the answer's tokens, "
    'the score is whether "1" is likelier than "0"'
)


def judge_metrics(model: VisionLanguageModel, edits: Sequence[MadeEdit]) -> list[Scores]:
    """Return the scores of each edit: the bit (EditWorld, section 5), its probability, and three scales."""
    pairs = [
        EditPair(
            input_image=edit.pictures.input_image,
            output_image=edit.edited,
            instruction=edit.pictures.item.instruction,
            input_caption=edit.pictures.item.input_caption or "",
            output_caption=edit.pictures.item.output_caption or "",
        )
        for edit in edits
    ]
    return [
        {
            "mllm_bit": float(judgement.success > 0.5),
            "mllm_probability": judgement.success,
            "judge_semantic": judgement.semantic_alignment,
            "judge_identity": judgement.identity_consistency,
            "judge_quality": judgement.image_quality,
        }
        for judgement in judge_pairs(model, pairs, JudgeConfig(reasons=False, captions=False))
    ]
