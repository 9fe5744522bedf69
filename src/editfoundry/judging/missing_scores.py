"""Gives triplets the CLIP and judge scores that they lack."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from editfoundry.data.fields import triplet_fields
from editfoundry.data.record import Triplet
from editfoundry.data.rejections import RejectedRow
from editfoundry.judging import PROMPT_VERSION, EditPair, JudgeConfig, Judgement, judge_pairs
from editfoundry.judging.clip_similarity import direction_similarity, possible_clip_scores, similarity
from editfoundry.judging.judge_noise import DIFFERENCE, JUDGED_TWICE, JudgeNoise, is_repeated
from editfoundry.judging.judge_prompts import QUESTIONS
from editfoundry.judging.judge_thresholds import CAPTION_PREFIX, PREFIX
from editfoundry.pretrained.judge_model import remembering

if TYPE_CHECKING:
    from editfoundry.pretrained.clip import ClipEncoder
    from editfoundry.pretrained.judge_model import JudgeModel

UNPARSABLE = "unparsable judgement"
_JUDGE_SCORES = tuple(PREFIX + question.name for question in QUESTIONS)
_CAPTION_SCORES = (CAPTION_PREFIX + "fit", CAPTION_PREFIX + "contrast")


@dataclass(frozen=True, kw_only=True)
class TripletScorer:
    """The models that score, loaded once."""

    clip: ClipEncoder
    judge: JudgeModel | None
    """None leaves the judge's scores out."""
    judge_config: JudgeConfig
    noise: JudgeNoise = field(default_factory=JudgeNoise)
    """Of the triplets that were judged twice so far."""

    def totals(self) -> dict[str, float]:
        """Return what was asked of an endpoint and judged twice so far, by the names of a stage's totals."""
        from editfoundry.pretrained.vision_endpoint import VisionEndpoint

        totals: dict[str, float] = {JUDGED_TWICE: self.noise.num_twice, DIFFERENCE: self.noise.difference}
        if isinstance(self.judge, VisionEndpoint):
            parts = (self.judge.usage, self.judge.recalled)
            for name in ("num_requests", "prompt_tokens", "completion_tokens"):
                totals[name] = sum(getattr(part, name) for part in parts)
        return totals

    @contextmanager
    def remembering(self, shard: Path) -> Iterator[TripletScorer]:
        """Yield a scorer that keeps what a judge's endpoint answers beside a shard, until that is complete."""
        with remembering(self.judge, shard) as judge:
            yield replace(self, judge=judge)

    def add_scores(self, batch: Sequence[Triplet], rejected: list[RejectedRow]) -> Iterator[Triplet]:
        """Yield the batch's triplets, in order, with what they lack; scores that they have stay as they are.

        A triplet without captions gets the CLIP scores that need none, one whose captions are equal gets no direction.
        One whose judgement cannot be read goes to ``rejected`` with what the judge wrote.
        """
        clip_scores = self._clip_scores([t for t in batch if _lacks(t, possible_clip_scores(_captions(t)))])
        judgements = self._judgements([t for t in batch if _lacks(t, self._judge_scores(t))])
        for triplet in batch:
            judgement = judgements.get(triplet.id)
            if judgement is not None and judgement.unparsed:
                wrote = "; ".join(f"{question}: {text}" for question, text in judgement.unparsed.items())
                rejected.append(RejectedRow(triplet.id, UNPARSABLE, wrote, triplet_fields(triplet)))
                continue
            yield self._with_scores(triplet, clip_scores.get(triplet.id), judgement)

    def _judge_scores(self, triplet: Triplet) -> tuple[str, ...]:
        if self.judge is None:
            return ()
        from editfoundry.pretrained.vision_endpoint import VisionEndpoint

        if isinstance(self.judge, VisionEndpoint):
            return _JUDGE_SCORES
        has_captions = all(caption.strip() for caption in _captions(triplet).values())
        return _JUDGE_SCORES + (_CAPTION_SCORES if self.judge_config.scores_captions and has_captions else ())

    def _with_scores(
        self, triplet: Triplet, clip_scores: dict[str, float] | None, judgement: Judgement | None
    ) -> Triplet:
        added: dict[str, float] = {}
        facts: dict[str, Any] = {}
        scored_by: dict[str, str] = dict(triplet.provenance.get("scored_by") or {})
        if clip_scores is not None:
            added |= clip_scores
            scored_by["clip"] = self.clip.name
        if judgement is not None and self.judge is not None:
            added |= judgement.scores
            scored_by |= {"vision_language_model": self.judge.name, "judge_prompts": PROMPT_VERSION}
            facts["judge_reasons"] = dict(judgement.reasons)
        if not added:
            return triplet
        return replace(
            triplet,
            scores={**added, **triplet.scores},
            provenance={**triplet.provenance, **facts, "scored_by": scored_by},
        )

    def _clip_scores(self, triplets: Sequence[Triplet]) -> dict[str, dict[str, float]]:
        count = len(triplets)
        images = self.clip.encode_images([t.input_image for t in triplets] + [t.output_image for t in triplets])
        texts = self.clip.encode_texts([t.input_caption for t in triplets] + [t.output_caption for t in triplets])
        values = {
            "clip_input": _rounded(similarity(images[:count], texts[:count])),
            "clip_output": _rounded(similarity(images[count:], texts[count:])),
            "clip_image": _rounded(similarity(images[:count], images[count:])),
            "clip_direction": _rounded(
                direction_similarity(images[:count], images[count:], texts[:count], texts[count:])
            ),
        }
        return {
            t.id: {name: values[name][row] for name in possible_clip_scores(_captions(t))}
            for row, t in enumerate(triplets)
        }

    def _judgements(self, triplets: Sequence[Triplet]) -> dict[str, Judgement]:
        if self.judge is None:
            return {}
        config, judged = self.judge_config, judge_pairs(self.judge, [_pair(t) for t in triplets], self.judge_config)
        judgements = {triplet.id: judgement for triplet, judgement in zip(triplets, judged, strict=True)}
        twice = [triplet for triplet in triplets if is_repeated(triplet.id, config.repeat_share)]
        if twice:
            again = judge_pairs(self.judge, [_pair(t) for t in twice], config, attempt=1)
            self.noise.add([judgements[triplet.id] for triplet in twice], again)
        return judgements


def _pair(triplet: Triplet) -> EditPair:
    return EditPair(
        input_image=triplet.input_image,
        output_image=triplet.output_image,
        instruction=triplet.instruction,
        input_caption=triplet.input_caption,
        output_caption=triplet.output_caption,
    )


def _lacks(triplet: Triplet, names: Sequence[str]) -> bool:
    return any(name not in triplet.scores for name in names)


def _captions(triplet: Triplet) -> dict[str, str]:
    return {"input_caption": triplet.input_caption, "output_caption": triplet.output_caption}


def _rounded(values: Tensor) -> list[float]:
    return [round(float(value), 4) for value in values]
