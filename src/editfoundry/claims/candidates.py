"""InstructPix2Pix's candidate pairs: two captions painted from one noise by prompt-to-prompt (section 3.1.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image

from editfoundry.data.record import short_hash
from editfoundry.diffusion.ddim_inversion import DdimSchedule
from editfoundry.diffusion.decoding import decode
from editfoundry.diffusion.prompt_embeds import encode_empty_prompt, encode_prompts
from editfoundry.diffusion.prompt_to_prompt.alignment import align
from editfoundry.diffusion.prompt_to_prompt.paired_sampling import sample_pairs
from editfoundry.diffusion.sampling import noise_for, record_generator
from editfoundry.tinyworld.edit_case import EditCase

if TYPE_CHECKING:
    from editfoundry.pretrained.text_to_image import Painter

Pair = tuple[Image.Image, Image.Image]


@dataclass(frozen=True, kw_only=True)
class CandidateSettings:
    """How candidates are painted."""

    num_candidates: int
    num_inference_steps: int
    guidance_scale: float
    """Weight of the captions; the paper draws it from 7.5 to 15."""
    seed: int
    min_share: float = 0.1
    """Smallest share of the steps in which attention is shared (the paper's p is drawn from 0.1 to 0.9)."""
    max_share: float = 0.9
    """Largest such share."""


@torch.inference_mode()
def paint_candidates(pipeline: Painter, cases: Sequence[EditCase], settings: CandidateSettings) -> list[list[Pair]]:
    """Paint each case's captions ``num_candidates`` times, each time from its own noise with its own share.

    Returns:
        For each case its pairs of RGB pictures, of the painter's own size.
    """
    tokenizer: Any = pipeline.tokenizer
    count = settings.num_candidates
    generators = [
        record_generator(settings.seed, case.id, "claims", number) for case in cases for number in range(count)
    ]
    before = [case.input_caption for case in cases for _ in range(count)]
    after = [case.output_caption for case in cases for _ in range(count)]
    schedule = DdimSchedule.of(pipeline, settings.num_inference_steps)
    empty = encode_empty_prompt(pipeline).expanded(len(before))
    shares = torch.tensor([_share(settings, case.id, number) for case in cases for number in range(count)])
    painted = sample_pairs(
        pipeline,
        schedule,
        noise_for(pipeline, generators).latents,
        encode_prompts(pipeline, before),
        encode_prompts(pipeline, after),
        [empty] * len(schedule),
        align(tokenizer, before, after),
        guidance_scale=settings.guidance_scale,
        cross_share=shares,
        self_share=shares,
        max_self_attention_pixels=256,
    )
    pairs = list(zip(*(decode(pipeline, latents) for latents in painted), strict=True))
    return [pairs[start : start + count] for start in range(0, len(pairs), count)]


def _share(settings: CandidateSettings, identifier: str, number: int) -> float:
    seed = int(short_hash(str(settings.seed), identifier, str(number)), 16)
    return float(np.random.default_rng(seed).uniform(settings.min_share, settings.max_share))
