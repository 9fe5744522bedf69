"""Candidates of caption pairs: two pictures from one noise, the second with the first one's attention (3.1.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image
from torch import Tensor

from editfoundry.data.record import short_hash
from editfoundry.diffusion.decoding import decode
from editfoundry.diffusion.prompt_embeds import PromptEmbeds, encode_empty_prompt, encode_prompts, image_size
from editfoundry.diffusion.prompt_to_prompt.alignment import Alignment, align
from editfoundry.diffusion.prompt_to_prompt.paired_sampling import sample_pairs
from editfoundry.diffusion.prompt_to_prompt.shared_noise import SharedNoiseSchedule
from editfoundry.diffusion.sampling import noise_for
from editfoundry.diffusion.seeded_noise import SeededNoise, seeded_generators
from editfoundry.pretrained.passes import Passes
from editfoundry.synthesis.instruct_pix2pix.caption_pairs import CaptionPair
from editfoundry.synthesis.instruct_pix2pix.config import RECIPE, PairConfig

if TYPE_CHECKING:
    from editfoundry.pretrained.text_to_image import Painter

_SEEDS = 2**32


@dataclass(frozen=True)
class PaintedPair:
    """One candidate."""

    seed: int
    """Noise, share and guidance scale follow from it."""
    share: float
    """Of the steps in which attention was shared (the paper's p)."""
    guidance_scale: float
    before: Image.Image
    """RGB."""
    after: Image.Image
    """RGB, the same size."""
    is_finite: bool = True
    """Whether the painter gave numbers; else both pictures are black."""


@dataclass(frozen=True)
class _Drawn:
    """What ``B`` candidates are painted from."""

    noise: SeededNoise
    shares: Tensor
    """``(B,)`` float32."""
    guidance_scales: Tensor
    """``(B,)`` float32."""


@dataclass(frozen=True)
class PairPainter:
    """A text-to-image model with what it needs to paint pairs."""

    painter: Painter
    passes: Passes = field(default_factory=Passes)
    """How many pairs are painted together."""

    @torch.inference_mode()
    def paint(self, pairs: Sequence[CaptionPair], config: PairConfig) -> list[list[PaintedPair]]:
        """Paint every pair's candidates together; one is the same alone and in any batch.

        Returns:
            For each caption pair its ``config.num_candidates`` pairs of pictures.
        """
        count = config.num_candidates
        seeds = [candidate_seed(config.seed, pair.id, number) for pair in pairs for number in range(count)]
        drawn, prompts = _draw(self.painter, seeds, config), _Prompts.of(self.painter, pairs)

        def paint(rows: slice) -> list[PaintedPair]:
            owners = [row // count for row in range(rows.start, rows.stop)]
            latents = _sample(self.painter, prompts, owners, drawn, rows, config)
            return _pictures(self.painter, latents, seeds[rows], drawn, rows)

        painted = [candidate for part in self.passes.run(len(seeds), paint) for candidate in part]
        return [painted[start : start + count] for start in range(0, len(painted), count)]


@dataclass(frozen=True)
class _Prompts:
    """Both captions of the caption pairs, encoded once, and how they share cross-attention."""

    before: PromptEmbeds
    after: PromptEmbeds
    empty: PromptEmbeds
    alignment: Alignment

    @classmethod
    def of(cls, painter: Painter, pairs: Sequence[CaptionPair]) -> _Prompts:
        tokenizer: Any = painter.tokenizer
        size = image_size(painter)
        before, after = [pair.input_caption for pair in pairs], [pair.output_caption for pair in pairs]
        first, second = (encode_prompts(painter, texts).at_size(*size) for texts in (before, after))
        return cls(first, second, encode_empty_prompt(painter).at_size(*size), align(tokenizer, before, after))


def candidate_seed(seed: int, pair_id: str, number: int) -> int:
    """Return the seed, in 32 bits as the released files have it, of a caption pair's candidate."""
    return int(short_hash(str(seed), pair_id, RECIPE, str(number)), 16) % _SEEDS


def _draw(painter: Painter, seeds: Sequence[int], config: PairConfig) -> _Drawn:
    """Draw noise, then share, then guidance scale, each candidate's from its own generator."""
    noise = noise_for(painter, seeded_generators(seeds))
    uniform = torch.stack([torch.rand(2, generator=generator) for generator in noise.generators])
    low = torch.tensor([config.min_share, config.min_guidance_scale])
    high = torch.tensor([config.max_share, config.max_guidance_scale])
    shares, scales = (low + uniform * (high - low)).unbind(1)
    return _Drawn(noise, shares, scales)


def _sample(
    painter: Painter, prompts: _Prompts, owners: list[int], drawn: _Drawn, rows: slice, config: PairConfig
) -> tuple[Tensor, Tensor]:
    """Return the clean latents of some candidates' first and second pictures; ``owners`` are their caption pairs."""
    noise = drawn.noise[range(rows.start, rows.stop)]
    schedule = SharedNoiseSchedule.of(painter, config.scheduler, config.num_inference_steps, noise)
    shares = drawn.shares[rows].to(noise.latents.device)
    # The paper's share is of the steps; the released code shares while p > i / (steps - 1).
    num_shared = shares * (len(schedule) if config.attention == "cross" else len(schedule) - 1)
    return sample_pairs(
        painter,
        schedule,
        schedule.first_latents(noise),
        prompts.before[owners],
        prompts.after[owners],
        [prompts.empty.expanded(len(owners))] * len(schedule),
        prompts.alignment[owners],
        guidance_scale=drawn.guidance_scales[rows],
        num_cross_steps=num_shared if config.attention != "self" else 0,
        num_self_steps=num_shared if config.attention != "cross" else 0,
        max_self_attention_pixels=None,
        in_null_half=True,
    )


def _pictures(
    painter: Painter, latents: tuple[Tensor, Tensor], seeds: Sequence[int], drawn: _Drawn, rows: slice
) -> list[PaintedPair]:
    finite = torch.stack([part.isfinite().flatten(1).all(1) for part in latents]).all(0)
    kept = [torch.where(finite[:, None, None, None], part, torch.zeros_like(part)) for part in latents]
    before, after = (decode(painter, part) for part in kept)
    shares, scales = (part[rows].tolist() for part in (drawn.shares, drawn.guidance_scales))
    return [PaintedPair(*values) for values in zip(seeds, shares, scales, before, after, finite.tolist(), strict=True)]
