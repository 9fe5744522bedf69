"""A data set of triplets as a training reads it: latents of its pairs and tokens of its instructions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from diffusers import AutoencoderKL
from transformers import CLIPTextModel, CLIPTokenizer

from editfoundry.data.hashing import input_hash
from editfoundry.editors.triplet_training.content_hashes import dataset_hash, editor_hash
from editfoundry.editors.triplet_training.draws import EpochOrder
from editfoundry.editors.triplet_training.latent_cache import latent_cache
from editfoundry.editors.triplet_training.pair_batches import (
    LatentPairs,
    PairBatch,
    draw_step,
    latent_pairs,
    read_batch,
    validation_draws,
)
from editfoundry.editors.triplet_training.pair_latents import EncodedPairs, PairLatents
from editfoundry.editors.triplet_training.text_cache import TextCache, text_cache
from editfoundry.editors.triplet_training.triplet_config import TripletConfig
from editfoundry.editors.triplet_training.triplet_pixels import TripletPixels
from editfoundry.errors import BadInputError


@dataclass(frozen=True)
class Encoders:
    """What turns triplets into latents and embeddings."""

    editor: str
    """Folder or hub id that they come from; its files' hashes name the caches."""
    vae: AutoencoderKL
    tokenizer: CLIPTokenizer
    text_encoder: CLIPTextModel


@dataclass(frozen=True)
class TripletData:
    """One data set, its caches open."""

    config: TripletConfig
    num_timesteps: int
    """Of the forward process."""
    latents: PairLatents
    texts: TextCache

    def __len__(self) -> int:
        return len(self.latents)

    def batch(self, step: int, part: slice) -> PairBatch:
        """Draw and read some of the samples of step ``step`` (from 0)."""
        draws = draw_step(
            self.config,
            step,
            part,
            order=self._order,
            num_timesteps=self.num_timesteps,
            latent_shape=self.latents.latent_shape,
            num_tokens=self.texts.num_tokens,
        )
        return read_batch(draws, self.latents, self.texts)

    def validation(self) -> tuple[int, Callable[[slice], PairBatch]]:
        """Return the number of samples that every validation takes, and what reads some of them."""
        draws = validation_draws(
            self.config, len(self), self.num_timesteps, self.latents.latent_shape, self.texts.num_tokens
        )
        return len(draws.indices), lambda part: read_batch(draws.part(part), self.latents, self.texts)

    def latent_pairs(self, batch: PairBatch, scaling_factor: float) -> LatentPairs:
        """Turn a batch, which is on the device, into latents."""
        return latent_pairs(batch, self.latents, scaling_factor)

    @cached_property
    def _order(self) -> EpochOrder:
        return EpochOrder(self.config.seed, len(self))


def open_triplets(
    config: TripletConfig,
    dataset: Path,
    encoders: Encoders,
    resolution: int,
    num_timesteps: int,
    device: torch.device,
    split: str = "train",
) -> TripletData:
    """Make or open the caches of a data set; the encoders are moved to ``device``.

    Of a folder whose rows belong to several splits, as an import has them, those of ``split`` are taken.

    Raises:
        BadInputError: the data set is missing, unfinished or empty.
    """
    data, pixels = dataset_hash(dataset), TripletPixels(dataset, resolution, split=split)
    if split != "train":
        data = input_hash(data, split)
    if len(pixels) == 0:
        raise BadInputError(f"{dataset}: there is no triplet to train on")
    vae = encoders.vae.to(device)
    latents: PairLatents = EncodedPairs(pixels, vae)
    if config.cache_latents:
        flip = config.horizontal_flip
        key = input_hash(data, editor_hash(encoders.editor, ["vae"]), resolution, flip)
        folder = config.work_dir / f"latents-{key[:16]}"
        latents = latent_cache(folder, dataset, vae, resolution=resolution, horizontal_flip=flip, split=split)
    embed = config.cache_text_embeddings and not config.train_text_encoder
    key = input_hash(data, editor_hash(encoders.editor, ["text_encoder", "tokenizer"]), embed)
    folder, text_encoder = config.work_dir / f"texts-{key[:16]}", encoders.text_encoder.to(device)
    texts = text_cache(folder, pixels.instructions(), encoders.tokenizer, text_encoder, embed=embed)
    return TripletData(config, num_timesteps, latents, texts)
