"""EditWorld's text-to-image branch: quadruples in, triplets out, whole batches at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image
from torch import Tensor

from editfoundry.data.record import Quadruple, Triplet
from editfoundry.data.rejections import RejectedRow
from editfoundry.errors import Rejection
from editfoundry.synthesis.attention import (
    attention_mask,
    collected_attention,
    keyword_token_weights,
)
from editfoundry.synthesis.blended_inpainting import inpaint
from editfoundry.synthesis.config import TextBranchConfig
from editfoundry.synthesis.keywords import check_keywords
from editfoundry.synthesis.sampling import decode, denoise, encode_prompts, noise_for, record_generator

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

    from editfoundry.pretrained.clip import ClipEncoder

RECIPE = "editworld-text"


@dataclass(frozen=True)
class TextBranch:
    """The models of the branch, loaded once."""

    painter: StableDiffusionPipeline
    clip: ClipEncoder
    provenance: dict[str, str]
    """Role -> model @ revision."""


@dataclass(frozen=True)
class _Painted:
    """The chosen input pictures of a batch."""

    images: list[Image.Image]
    latents: Tensor
    """``(B, C, H, W)``"""
    masks: Tensor
    """``(B, 1, H, W)`` bool"""
    clip_embeds: Tensor
    """``(B, D)``"""
    scores: list[list[float]]
    """CLIP scores of every candidate."""


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
        yield from _batch_triplets(branch, usable[start : start + config.records_per_batch], config)


def _batch_triplets(branch: TextBranch, batch: Sequence[Quadruple], config: TextBranchConfig) -> Iterator[Triplet]:
    input_texts = branch.clip.encode_texts([q.input_caption for q in batch])
    output_texts = branch.clip.encode_texts([q.output_caption for q in batch])
    painted = paint_inputs(branch, batch, input_texts, config)
    outputs, output_embeds, candidate_scores = inpaint_outputs(
        branch, batch, painted, output_texts - input_texts, output_texts, config
    )
    for row, quadruple in enumerate(batch):
        image_embed, output_embed = painted.clip_embeds[row], output_embeds[row]
        yield Triplet(
            instruction=quadruple.instruction,
            input_image=painted.images[row],
            output_image=outputs[row],
            input_caption=quadruple.input_caption,
            output_caption=quadruple.output_caption,
            keywords=quadruple.keywords,
            category=quadruple.category,
            recipe=RECIPE,
            source=quadruple.source,
            mask=_mask_image(painted.masks[row, 0], painted.images[row].size),
            provenance={
                **branch.provenance,
                **asdict(config),
                "input_candidates_clip": painted.scores[row],
                "output_candidates_score": candidate_scores[row],
            },
            scores={
                "clip_input": _rounded(image_embed @ input_texts[row]),
                "clip_output": _rounded(output_embed @ output_texts[row]),
                "clip_image": _rounded(image_embed @ output_embed),
                "clip_direction": _rounded(_cosine(output_embed - image_embed, output_texts[row] - input_texts[row])),
                "mask_share": _rounded(painted.masks[row].float().mean()),
            },
        )


def paint_inputs(branch: TextBranch, batch: Sequence[Quadruple], texts: Tensor, config: TextBranchConfig) -> _Painted:
    """Paint the input captions, collect the keywords' attention meanwhile, keep each one's best candidate by CLIP."""
    count = config.num_input_candidates
    repeated = [q for q in batch for _ in range(count)]
    captions = [q.input_caption for q in repeated]
    painter: Any = branch.painter
    weights = keyword_token_weights(painter.tokenizer, captions, [q.keywords for q in repeated])
    noise = noise_for(painter, _generators(batch, "input", count, config.seed))
    with collected_attention(painter.unet, weights, config.attention_resolution) as attention:
        embeds = encode_prompts(painter, captions)
        latents = denoise(painter, embeds, noise, config.num_inference_steps, config.guidance_scale)
    images = decode(painter, latents)
    clip_embeds = branch.clip.encode_images(images)
    scores = (clip_embeds * texts.repeat_interleave(count, 0)).sum(-1).view(-1, count)
    chosen = scores.argmax(1) + torch.arange(len(batch)) * count
    maps = torch.nn.functional.interpolate(attention.maps()[chosen][:, None], latents.shape[-2:], mode="bilinear")
    return _Painted(
        [images[i] for i in chosen.tolist()],
        latents[chosen],
        attention_mask(maps[:, 0], config.tau)[:, None].to(latents.device),
        clip_embeds[chosen],
        [[_rounded(s) for s in row] for row in scores],
    )


def inpaint_outputs(
    branch: TextBranch, batch: Sequence[Quadruple], painted: _Painted, directions: Tensor, texts: Tensor,
    config: TextBranchConfig,
) -> tuple[list[Image.Image], Tensor, list[list[float]]]:  # fmt: skip
    """Inpaint each input picture with its output caption; keep the best by CLIP score + directional similarity.

    Returns:
        The chosen images, their CLIP embeddings ``(B, D)``, and the scores of every candidate.
    """
    count = config.num_output_candidates
    noise = noise_for(branch.painter, _generators(batch, "output", count, config.seed))
    embeds = encode_prompts(branch.painter, [q.output_caption for q in batch for _ in range(count)])
    latents = inpaint(
        branch.painter, embeds, painted.latents.repeat_interleave(count, 0), painted.masks.repeat_interleave(count, 0),
        noise, config.num_inference_steps, config.guidance_scale,
    )  # fmt: skip
    images = decode(branch.painter, latents)
    clip_embeds = branch.clip.encode_images(images)
    moved = clip_embeds - painted.clip_embeds.repeat_interleave(count, 0)
    similarity = (clip_embeds * texts.repeat_interleave(count, 0)).sum(-1)
    scores = (similarity + _cosine(moved, directions.repeat_interleave(count, 0))).view(-1, count)
    chosen = scores.argmax(1) + torch.arange(len(batch)) * count
    return (
        [images[i] for i in chosen.tolist()],
        clip_embeds[chosen],
        [[_rounded(s) for s in row] for row in scores],
    )


def _generators(batch: Sequence[Quadruple], stage: str, count: int, seed: int) -> list[torch.Generator]:
    return [record_generator(seed, q.id, stage, candidate) for q in batch for candidate in range(count)]


def _cosine(first: Tensor, second: Tensor) -> Tensor:
    return torch.nn.functional.cosine_similarity(first, second, dim=-1)


def _rounded(value: Tensor) -> float:
    return round(float(value), 4)


def _mask_image(mask: Tensor, size: tuple[int, int]) -> Image.Image:
    return Image.fromarray((mask.cpu().numpy() * 255).astype("uint8")).resize(size, Image.Resampling.NEAREST)
