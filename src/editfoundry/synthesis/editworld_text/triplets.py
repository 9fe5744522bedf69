"""EditWorld's text-to-image branch: quadruples in, triplets out, whole batches at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from editfoundry.data.record import Quadruple, Triplet
from editfoundry.data.rejections import RejectedRow
from editfoundry.diffusion.keyword_tokens import keyword_token_weights
from editfoundry.errors import Rejection
from editfoundry.judging.clip_similarity import direction_similarity, similarity
from editfoundry.synthesis.editworld_text.candidates import Candidates, Pictures
from editfoundry.synthesis.editworld_text.config import RECIPE, TextBranchConfig
from editfoundry.synthesis.editworld_text.judged_choice import Verdict, judge_finished
from editfoundry.synthesis.editworld_text.models import TextBranch
from editfoundry.synthesis.editworld_text.steps import (
    QuadrupleBatch,
    encode_batch,
    img2img_outputs,
    inpaint_outputs,
    paint_inputs,
    refine_outputs,
    reinpaint_sources,
)
from editfoundry.synthesis.quadruples.keywords import check_keywords


@dataclass(frozen=True)
class _Finished:
    """What the steps made of a batch."""

    sources: Pictures
    outputs: Pictures
    masks: Tensor
    """``(B, 1, H, W)`` bool"""
    steps: list[Candidates]
    verdicts: list[Verdict] | None


def make_triplets(
    branch: TextBranch, quadruples: Sequence[Quadruple], config: TextBranchConfig, rejected: list[RejectedRow]
) -> Iterator[Triplet]:
    """Yield a triplet for each usable quadruple, in order; the others go to ``rejected`` with their reason."""
    usable = []
    for quadruple in quadruples:
        try:
            check_keywords(quadruple.input_caption, quadruple.keywords)
            keyword_token_weights(branch.painter.tokenizer, [quadruple.input_caption], [quadruple.keywords])
            usable.append(quadruple)
        except Rejection as error:
            rejected.append(RejectedRow(quadruple.id, error.reason, error.detail, asdict(quadruple)))
    for start in range(0, len(usable), config.records_per_batch):
        with branch.painting():
            batch = encode_batch(branch, usable[start : start + config.records_per_batch], config)
            sources, masks, steps = _paint(branch, batch)
        finished = _finish(branch, batch, sources, masks, steps)
        yield from (_triplet(branch, batch, finished, row) for row in range(len(batch.quadruples)))


def _paint(branch: TextBranch, batch: QuadrupleBatch) -> tuple[Pictures, Tensor, list[Candidates]]:
    """Return the sources, their masks ``(B, 1, H, W)``, and the candidates of each step."""
    config = batch.config
    painted, masks = paint_inputs(branch, batch)
    steps, sources = [painted], painted.chosen()
    if config.num_source_candidates:
        steps.append(reinpaint_sources(branch, batch, sources, masks))
        sources = steps[-1].chosen()
    steps.append(inpaint_outputs(branch, batch, sources, masks))
    if config.num_refined_candidates:
        steps.append(refine_outputs(branch, batch, sources, steps[-1].chosen()))
    if config.num_img2img_candidates:
        steps.append(img2img_outputs(branch, batch, sources, steps[-1].chosen()))
    return sources, masks, steps


def _finish(
    branch: TextBranch, batch: QuadrupleBatch, sources: Pictures, masks: Tensor, steps: list[Candidates]
) -> _Finished:
    if not batch.config.judge:
        return _Finished(sources, steps[-1].chosen(), masks, steps, None)
    verdicts = judge_finished(branch, batch, sources, steps[-1])
    kept = torch.tensor([verdict.columns[verdict.place] for verdict in verdicts])
    return _Finished(sources, steps[-1].chosen(kept), masks, steps, verdicts)


def _triplet(branch: TextBranch, batch: QuadrupleBatch, finished: _Finished, row: int) -> Triplet:
    quadruple = batch.quadruples[row]
    verdict = finished.verdicts[row] if finished.verdicts else None
    image = finished.sources.images[row]
    return Triplet(
        instruction=quadruple.instruction,
        input_image=image,
        output_image=finished.outputs.images[row],
        input_caption=quadruple.input_caption,
        output_caption=quadruple.output_caption,
        keywords=quadruple.keywords,
        category=quadruple.category,
        recipe=RECIPE,
        source=quadruple.source,
        mask=_mask_image(finished.masks[row, 0], image.size),
        provenance={**branch.provenance, **asdict(batch.config), **_choices(finished.steps, verdict, row)},
        scores={**_scores(batch, finished, row), **(verdict.scores() if verdict else {})},
    )


def _choices(steps: Sequence[Candidates], verdict: Verdict | None, row: int) -> dict[str, Any]:
    """Return all candidates' scores and which were kept; the judge overrules the last step's own order."""
    recorded: dict[str, Any] = {}
    for step in steps:
        overruled = verdict.columns[verdict.place] if verdict and step is steps[-1] else None
        recorded |= step.provenance(row, overruled)
    return recorded | (verdict.provenance() if verdict else {})


def _scores(batch: QuadrupleBatch, finished: _Finished, row: int) -> dict[str, float]:
    before, after = finished.sources.clip_embeds[row], finished.outputs.clip_embeds[row]
    text_before, text_after = batch.input_texts[row], batch.output_texts[row]
    values = {
        "clip_input": similarity(before, text_before),
        "clip_output": similarity(after, text_after),
        "clip_image": similarity(before, after),
        "clip_direction": direction_similarity(before, after, text_before, text_after),
        "mask_share": finished.masks[row].float().mean(),
    }
    return {name: round(float(value), 4) for name, value in values.items()}


def _mask_image(mask: Tensor, size: tuple[int, int]) -> Image.Image:
    return Image.fromarray((mask.cpu().numpy() * 255).astype("uint8")).resize(size, Image.Resampling.NEAREST)
