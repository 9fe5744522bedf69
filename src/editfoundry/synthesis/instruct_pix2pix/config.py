"""How InstructPix2Pix's pairs are painted and chosen; light to import, since parameters are read everywhere."""

from __future__ import annotations

from dataclasses import dataclass, field

from editfoundry.curation.score_filters import ClipThresholds
from editfoundry.data.hashing import ONLY_WHEN_SET
from editfoundry.errors import BadInputError

RECIPE = "instruct-pix2pix"
PAINTER_ROLE, CLIP_ROLE, JUDGE_ROLE = "text_to_image", "clip", "vision_language_model"
ATTENTIONS = ("cross", "self", "both")


@dataclass(frozen=True, kw_only=True)
class PairConfig:
    """Parameters of the recipe ``instruct-pix2pix``; the defaults are the paper's."""

    num_caption_pairs: int = 0
    """Of tinyworld's captions, so many pairs are made, and of each part of the captions its share; 0 for all."""
    num_candidates: int = 100
    """Pairs of pictures painted of each caption pair, each from its own noise."""
    max_kept: int = 4
    """Of a caption pair's candidates that pass, so many are kept: those of the highest directional similarity."""
    num_inference_steps: int = 100
    """Sampler steps of each picture."""
    scheduler: str = "euler-ancestral"
    """Any of diffusers' samplers by its name; empty for the model's own."""
    attention: str = "cross"
    """What the second picture takes from the first: ``cross`` (the paper), ``self`` (its released code) or ``both``."""
    min_share: float = 0.1
    """Smallest share of the steps, from the first on, in which attention is shared."""
    max_share: float = 0.9
    """Largest such share; each candidate draws its own (the paper's p)."""
    min_guidance_scale: float = 7.5
    """Smallest weight of the captions."""
    max_guidance_scale: float = 15.0
    """Largest such weight; each candidate draws its own, for both its pictures."""
    thresholds: ClipThresholds = field(default_factory=ClipThresholds)
    """Lowest similarities of a pair that is kept."""
    caption_contrast: float | None = field(default=None, metadata=ONLY_WHEN_SET)
    """By how many nats the profile's vision-language model must find the second caption likelier than the first as its
    description of the second picture; None, as in the paper, asks no such model."""
    pairs_per_shard: int = 500
    """Rows of a JSONL file that go into a shard."""
    pairs_per_batch: int = 4
    """Caption pairs whose candidates are painted together, as far as the memory allows."""
    seed: int = 0

    @property
    def roles(self) -> tuple[str, ...]:
        """The profile's roles that take part."""
        return (PAINTER_ROLE, CLIP_ROLE, *(() if self.caption_contrast is None else (JUDGE_ROLE,)))

    def __post_init__(self) -> None:
        for name in ("num_candidates", "max_kept", "num_inference_steps", "pairs_per_shard", "pairs_per_batch"):
            if getattr(self, name) < 1:
                raise BadInputError(f"{name} is {getattr(self, name)}; it must be at least 1")
        if self.num_caption_pairs < 0:
            raise BadInputError(f"num_caption_pairs is {self.num_caption_pairs}; it must be at least 0")
        if self.attention not in ATTENTIONS:
            raise BadInputError(f"attention is {self.attention!r}; use {', '.join(ATTENTIONS)}")
        if not 0 <= self.min_share <= self.max_share <= 1:
            raise BadInputError(f"min_share is {self.min_share}, max_share {self.max_share}; 0 <= min <= max <= 1")
        if not 0 <= self.min_guidance_scale <= self.max_guidance_scale:
            raise BadInputError(
                f"min_guidance_scale is {self.min_guidance_scale}, max_guidance_scale {self.max_guidance_scale}; "
                "0 <= min <= max"
            )
