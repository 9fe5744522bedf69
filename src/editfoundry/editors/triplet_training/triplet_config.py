"""The settings of a training on edit triplets, beside those of the loop."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from editfoundry.diffusion.schedulers import PREDICTION_TYPES
from editfoundry.training.loop_config import LoopConfig


@dataclass(frozen=True, kw_only=True)
class TripletConfig(LoopConfig):
    """Data, dropout and loss of a denoiser that learns edits from triplets."""

    dataset: Path
    """Folder of triplet shards, or one shard."""
    resolution: int | None = None
    """Side of the square training images in pixels; by default the editor's own. See also ``aspect_ratios``."""
    aspect_ratios: bool = False
    """Train on pictures of several aspect ratios, each pair at the nearest one, instead of on squares: sides are
    multiples of 64 pixels, and no area is more than ``resolution`` squared, which must be 256, 512, 768 or 1024."""
    horizontal_flip: bool = False
    """Mirror half of the pairs, both images at once. Off where instructions say left and right."""
    random_crop: bool = False
    """Crop each pair at a random place and size instead of the centre, one draw a pair; needs cache_latents off."""
    min_crop_share: float = 0.8
    """Smallest side of a random crop, as a share of the largest crop's."""
    augment_apart: bool = False
    """Draw mirror and crop of a pair's two images apart, so that they no longer line up, to measure what one draw for
    both, as InstructPix2Pix has it, is worth."""
    conditioning_dropout: float = 0.05
    """Probability of each of: no instruction, neither, no input image (InstructPix2Pix, section 3.2.1)."""
    token_dropout: float = 0.0
    """Probability that a token is left out of a sample's instruction, so that no instruction is learnt by heart."""
    train_text_encoder: bool = False
    """Train the text encoder with the denoiser."""
    snr_gamma: float | None = None
    """Gamma of Min-SNR loss weights (Hang et al. 2023; 5 there); by default every timestep weighs the same."""
    change_weight: float = 1.0
    """Weight of the loss where a pair's latents differ, 1 elsewhere: for edits that change little of a picture."""
    prediction_type: str | None = None
    """What the denoiser learns to predict, ``epsilon`` or ``v_prediction``; by default what the editor did."""
    zero_terminal_snr: bool = False
    """Train on a schedule that ends in pure noise (Lin et al. 2023), which takes v-prediction."""
    cache_latents: bool = True
    """Encode each pair once and keep it on disk; turn off where that takes too much room, or for random crops."""
    cache_text_embeddings: bool = True
    """Keep each distinct instruction's embedding on disk; turn off where that takes too much room."""
    work_dir: Path = Path(".cache/training")
    """Folder of cached latents and embeddings, shared by runs on the same data."""
    validation_dataset: Path | None = None
    """Triplet shards whose loss is measured at intervals; none, no validation."""
    num_validation_samples: int = 256
    """Triplets at most that a validation takes."""
    num_samples: int = 4
    """Edits of a grid, of the validation data or else of the training data, always with the same noise."""

    UNTOLD_AT_DEFAULT: ClassVar[frozenset[str]] = LoopConfig.UNTOLD_AT_DEFAULT | {"aspect_ratios", "augment_apart"}
    WITHOUT_EFFECT: ClassVar[frozenset[str]] = LoopConfig.WITHOUT_EFFECT | {
        "cache_latents",
        "cache_text_embeddings",
        "work_dir",
        "validation_dataset",
        "num_validation_samples",
        "num_samples",
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_each(("num_validation_samples", "num_samples"), lambda value: value >= 1, "at least 1")
        self.check_each(("snr_gamma",), lambda value: value is None or value > 0, "more than 0")
        self.check_each(("change_weight",), lambda value: value >= 1, "at least 1")
        self.check_each(("min_crop_share",), lambda value: 0 < value <= 1, "in (0, 1]")
        dropout = self.conditioning_dropout
        self.check(0 <= dropout <= 1 / 3, "conditioning_dropout", "in [0, 1/3]: it is used three times")
        self.check_each(("token_dropout",), lambda value: 0 <= value < 1, "in [0, 1)")
        self.check(self.resolution is None or self.resolution >= 8, "resolution", "at least 8 pixels")
        kinds = (None, *PREDICTION_TYPES)
        self.check(self.prediction_type in kinds, "prediction_type", f"one of {', '.join(PREDICTION_TYPES)}")
        is_blind = self.zero_terminal_snr and self.prediction_type == "epsilon"
        v_rule = "v_prediction where zero_terminal_snr is on: of pure noise, epsilon tells nothing"
        self.check(not is_blind, "prediction_type", v_rule)
        crop_rule = "false where cache_latents is on: each crop has latents of its own"
        self.check(not (self.random_crop and self.cache_latents), "random_crop", crop_rule)
        has_draws = self.horizontal_flip or self.random_crop
        self.check(has_draws or not self.augment_apart, "augment_apart", "false where nothing is mirrored or cropped")
        is_encoded_once = self.cache_text_embeddings and not self.train_text_encoder
        token_rule = "0 where cache_text_embeddings is on and train_text_encoder off: instructions are encoded once"
        self.check(not (self.token_dropout and is_encoded_once), "token_dropout", token_rule)
