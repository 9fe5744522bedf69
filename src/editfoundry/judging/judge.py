"""Judges edits on semantic alignment, identity consistency and image quality (EditWorld, section 3.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from editfoundry.judging.answers import short_reason
from editfoundry.judging.asking import Inquiry, Reply, ask
from editfoundry.judging.caption_likelihood import CaptionScores, score_captions
from editfoundry.judging.edit_pair import EditPair
from editfoundry.judging.judge_config import JudgeConfig
from editfoundry.judging.judge_prompts import DESCRIBE, QUESTIONS, Question, question_text
from editfoundry.judging.judge_thresholds import CAPTION_PREFIX, PREFIX

if TYPE_CHECKING:
    from editfoundry.pretrained.judge_model import JudgeModel


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What the judge says of an edit."""

    semantic_alignment: float
    """1 to 5."""
    identity_consistency: float
    """1 to 5."""
    image_quality: float
    """1 to 5."""
    success: float
    """The paper's one-bit question: the probability of a yes, or 0 or 1 where the answer is written."""
    captions: CaptionScores | None = None
    """None where they were not asked for, or a caption is not known."""
    reasons: Mapping[str, str] = field(default_factory=dict)
    """Question -> reason in a few words; empty where none was asked for."""
    unparsed: Mapping[str, str] = field(default_factory=dict)
    """Question -> what the judge wrote instead of an answer; such a question's score is the lowest there is."""

    @property
    def score(self) -> float:
        """One number in [0, 1] to choose the best of several by.

        It is the geometric mean of the four scores, each brought to [0, 1]: no part makes up for another.
        """
        scales = (self.semantic_alignment, self.identity_consistency, self.image_quality)
        product = self.success
        for value in scales:
            product *= (value - 1) / 4
        return float(max(0.0, product) ** (1 / (len(scales) + 1)))

    @property
    def scores(self) -> dict[str, float]:
        """Return the scores as triplets carry them, ``judge_semantic_alignment`` and so on, to four decimals."""
        scores = {PREFIX + q.name: round(float(getattr(self, q.name)), 4) for q in QUESTIONS}
        captions = vars(self.captions) if self.captions is not None else {}
        return scores | {CAPTION_PREFIX + name: round(float(value), 4) for name, value in captions.items()}


def judge_pairs(
    model: JudgeModel, pairs: Sequence[EditPair], config: JudgeConfig | None = None, attempt: int = 0
) -> list[Judgement]:
    """Ask every question about every pair, whole batches at a time; a pair's pictures are encoded once a batch.

    Args:
        model: the profile's vision-language model.
        pairs: edits; captions that are empty are left out of the questions.
        config: how to ask; by default by probabilities, with descriptions and with reasons.
        attempt: which time the same pairs are judged; an endpoint gets another seed each time.

    Raises:
        UnavailableError: an endpoint left some questions unanswered.
        BadInputError: an endpoint cannot be used at all, or the run has cost what it may.
    """
    from editfoundry.pretrained.vision_endpoint import VisionEndpoint

    config = config or JudgeConfig()
    seen = _descriptions(model, pairs, config) if config.descriptions else [("", "")] * len(pairs)
    inquiries = [
        _inquiry(pair, said, question) for pair, said in zip(pairs, seen, strict=True) for question in QUESTIONS
    ]
    replies = ask(model, inquiries, config, attempt)
    count = len(QUESTIONS)
    # An endpoint tells nothing of how likely a text is that it has not written itself.
    if config.scores_captions and not isinstance(model, VisionEndpoint):
        fits = score_captions(model, pairs, seen)
    else:
        fits = [None] * len(pairs)
    return [_judgement(replies[row * count : (row + 1) * count], fit) for row, fit in enumerate(fits)]


def _descriptions(model: JudgeModel, pairs: Sequence[EditPair], config: JudgeConfig) -> list[tuple[str, str]]:
    """Return what the model says of each pair's two pictures; a picture that several pairs share is described once."""
    pictures = {id(picture): picture for pair in pairs for picture in (pair.input_image, pair.output_image)}
    said = model.generate([(p,) for p in pictures.values()], [DESCRIBE] * len(pictures), config.max_new_tokens)
    texts = dict(zip(pictures, map(short_reason, said), strict=True))
    return [(texts[id(pair.input_image)], texts[id(pair.output_image)]) for pair in pairs]


def _inquiry(pair: EditPair, seen: tuple[str, str], question: Question) -> Inquiry:
    prompt = question_text(question, pair.input_caption, pair.instruction, pair.output_caption, seen)
    pictures = (pair.input_image, pair.output_image) if question.shows_input else (pair.output_image,)
    return Inquiry(question=question, prompt=prompt, images=pictures)


def _judgement(replies: Sequence[Reply], captions: CaptionScores | None) -> Judgement:
    named = dict(zip((question.name for question in QUESTIONS), replies, strict=True))
    return Judgement(
        **{name: reply.value for name, reply in named.items()},
        captions=captions,
        reasons={name: reply.reason for name, reply in named.items() if reply.reason},
        unparsed={name: reply.unparsed for name, reply in named.items() if reply.unparsed},
    )
