"""A data set of triplets as a training reads it: latents of its pairs and tokens of its instructions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from transformers import CLIPTextModel, CLIPTokenizer

from editfoundry.data.hashing import input_hash
from editfoundry.editors.triplet_training.aspect_ratios import SizeSchedule, training_sizes
from editfoundry.editors.triplet_training.content_hashes import dataset_hash, editor_hash
from editfoundry.editors.triplet_training.draws import EpochOrder
from editfoundry.editors.triplet_training.latent_cache import latent_caches
from editfoundry.editors.triplet_training.pair_batches import (
    LatentPairs,
    PairBatch,
    draw_step,
    latent_pairs,
    read_batch,
    validation_draws,
)
from editfoundry.editors.triplet_training.pair_latents import EncodedPairs, PairLatents
from editfoundry.editors.triplet_training.text_cache import TextCache, Texts, text_cache
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
    revision: str = "main"
    """Of a hub id."""


@dataclass(frozen=True)
class SizeGroup:
    """Triplets whose pictures are trained on at one size."""

    latents: PairLatents
    texts: Texts
    order: EpochOrder
    numbers: np.ndarray
    """``(N,)`` int64: each one's number in the data set."""

    def __len__(self) -> int:
        return len(self.latents)


@dataclass(frozen=True)
class TripletData:
    """One data set, its caches open."""

    config: TripletConfig
    num_timesteps: int
    """Of the forward process."""
    groups: Sequence[SizeGroup]
    """The largest first; one of squares, unless ``aspect_ratios`` is on."""

    def __len__(self) -> int:
        return sum(map(len, self.groups))

    def batch(self, step: int, part: slice) -> PairBatch:
        """Draw and read some of the samples of step ``step`` (from 0), all of one size."""
        number, first = self._schedule.place(step)
        group = self.groups[number]
        draws = draw_step(
            self.config,
            step,
            part,
            order=group.order,
            first=first,
            num_timesteps=self.num_timesteps,
            latent_shape=group.latents.latent_shape,
            num_tokens=group.texts.num_tokens,
        )
        return read_batch(draws, group.latents, group.texts, group.numbers)

    def validation(self) -> list[tuple[int, Callable[[slice], PairBatch]]]:
        """Return of each size the number of samples that every validation takes, and what reads some of them."""
        return [self._validation_of(group) for group in self.groups]

    def latent_pairs(self, batch: PairBatch, scaling_factor: float) -> LatentPairs:
        """Turn a batch, which is on the device, into latents."""
        return latent_pairs(batch, self.groups[0].latents, scaling_factor)

    def _validation_of(self, group: SizeGroup) -> tuple[int, Callable[[slice], PairBatch]]:
        # Of each size its share, and at least one.
        wanted = min(self.config.num_validation_samples, len(self)) * len(group) // len(self)
        config = replace(self.config, num_validation_samples=max(1, wanted))
        shape, num_tokens = group.latents.latent_shape, group.texts.num_tokens
        draws = validation_draws(config, len(group), self.num_timesteps, shape, num_tokens)
        return len(draws.indices), lambda part: read_batch(draws.part(part), group.latents, group.texts, group.numbers)

    @cached_property
    def _schedule(self) -> SizeSchedule:
        return SizeSchedule(self.config.seed, [len(group) for group in self.groups], self.config.batch_size)


def training_pictures(
    config: TripletConfig, dataset: Path, resolution: int, split: str = "train"
) -> list[tuple[np.ndarray, TripletPixels]]:
    """Return the pictures of a data set by size, with the numbers of each size's triplets; squares are one size.

    Raises:
        BadInputError: the data set is missing, unfinished or empty; or there are no sizes of that resolution.
    """
    pixels = TripletPixels(dataset, resolution, split=split)
    if len(pixels) == 0:
        raise BadInputError(f"{dataset}: there is no triplet to train on")
    if config.aspect_ratios:
        return pixels.grouped_by_size(training_sizes(resolution))
    return [(np.arange(len(pixels)), pixels)]


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
        BadInputError: as `training_pictures`.
    """
    pictures = open_pictures(
        config, dataset, encoders.editor, encoders.vae, resolution, device, split, encoders.revision
    )
    data = pictures.data_hash
    texts = _open_texts(config, TripletPixels(dataset, resolution, split=split).instructions(), encoders, data, device)
    return TripletData(
        config,
        num_timesteps,
        [
            SizeGroup(of_size, texts.of(numbers), EpochOrder(config.seed, len(numbers)), numbers)
            for numbers, of_size in zip(pictures.numbers, pictures.latents, strict=True)
        ],
    )


@dataclass(frozen=True)
class OpenedPictures:
    """A data set's pictures by size, and their latents."""

    data_hash: str
    """Of the data set's split; part of the names of caches."""
    numbers: Sequence[np.ndarray]
    """Of each size, its triplets' numbers, ``(n,)`` int64."""
    pixels: Sequence[TripletPixels]
    latents: Sequence[PairLatents]


def open_pictures(
    config: TripletConfig,
    dataset: Path,
    editor: str,
    vae: AutoencoderKL,
    resolution: int,
    device: torch.device,
    split: str = "train",
    revision: str = "main",
) -> OpenedPictures:
    """Make or open the caches of a data set's latents; the VAE, which is the editor's, is moved to ``device``.

    Raises:
        BadInputError: as `training_pictures`.
    """
    data, groups = dataset_hash(dataset), training_pictures(config, dataset, resolution, split)
    if split != "train":
        data = input_hash(data, split)
    vae, pictures = vae.to(device), [pixels for _, pixels in groups]
    latents: Sequence[PairLatents] = [EncodedPairs(pixels, vae) for pixels in pictures]
    if config.cache_latents:
        flip, sizes = config.horizontal_flip, [pixels.size for pixels in pictures]
        key = input_hash(data, editor_hash(editor, ["vae"], revision), resolution, flip)
        if config.aspect_ratios:
            key = input_hash(key, sizes)
        folder = config.work_dir / f"latents-{key[:16]}"
        latents = latent_caches(folder, dataset, vae, pictures, horizontal_flip=flip)
    return OpenedPictures(data, [numbers for numbers, _ in groups], pictures, latents)


def _open_texts(
    config: TripletConfig, instructions: Sequence[str], encoders: Encoders, data: str, device: torch.device
) -> TextCache:
    embed = config.cache_text_embeddings and not config.train_text_encoder
    key = input_hash(data, editor_hash(encoders.editor, ["text_encoder", "tokenizer"], encoders.revision), embed)
    folder, text_encoder = config.work_dir / f"texts-{key[:16]}", encoders.text_encoder.to(device)
    return text_cache(folder, instructions, encoders.tokenizer, text_encoder, embed=embed)
