"""What an MGIE training reads of its triplets: chats as tokens, and each picture's features, both made once."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from editfoundry.data.atomic import atomic_folder
from editfoundry.data.hashing import input_hash
from editfoundry.data.index import read_index, rows_of_split
from editfoundry.editors.families.mgie.expressive_mllm import IGNORED, features_of
from editfoundry.editors.families.mgie.picture_tokens import picture_token_ids
from editfoundry.editors.families.mgie.pipeline import MgiePipeline
from editfoundry.editors.families.mgie.training_config import TEXT_PARTS, MgieTraining
from editfoundry.editors.triplet_training.content_hashes import editor_hash
from editfoundry.editors.triplet_training.draws import EpochOrder
from editfoundry.editors.triplet_training.memory_maps import new_array
from editfoundry.editors.triplet_training.pair_latents import PairLatents
from editfoundry.editors.triplet_training.pair_reading import pairs_in_order
from editfoundry.editors.triplet_training.sample_grid import to_image
from editfoundry.editors.triplet_training.text_cache import TextCache, text_cache
from editfoundry.editors.triplet_training.triplet_data import Encoders, SizeGroup, TripletData, open_pictures
from editfoundry.editors.triplet_training.triplet_pixels import TripletPixels
from editfoundry.errors import BadInputError
from editfoundry.pretrained.vision_language_model import VisionLanguageModel
from editfoundry.synthesis.expressive.question import question

STAGE = "language model cache"
PIXELS_PER_STEP = 2**20
"""Of the pictures that go through the vision tower at once, in its own size."""
LEAST_PICTURES_PER_STEP = 8


@dataclass(frozen=True)
class ExpressiveChats:
    """Distinct chats by row: the question, the expressive answer, the picture tokens, an end token."""

    rows: np.ndarray
    """``(N,)`` int64: each triplet's row."""
    tokens: np.ndarray
    """``(M, 2, L)`` int64, memory-mapped: token ids, padded on the left, and their labels."""

    @property
    def num_tokens(self) -> int:
        """The length L of every chat, padding included."""
        return int(self.tokens.shape[-1])

    def read(self, indices: Tensor, drop_text: Tensor, drop_tokens: Tensor) -> Tensor:
        """Return ``(B, 2, L)`` int64: ids and labels; a dropped instruction is read all the same, and not edited by."""
        return torch.from_numpy(self.tokens[self.rows[indices.numpy()]])


@dataclass(frozen=True)
class LatentsWithMore:
    """Latents of pairs, and what else is read of each beside them."""

    latents: PairLatents
    features: np.ndarray | None
    """``(N, F, n, D)``, memory-mapped: the language model's of the input images; axis 1 as of `LatentCache`. None
    where it sees no picture."""
    text_states: TextCache | None
    """What the starting editor's text encoder makes of the answers; None where nothing is learnt from it."""

    def __len__(self) -> int:
        return len(self.latents)

    @property
    def latent_shape(self) -> tuple[int, ...]:
        """Channels, height, width."""
        return self.latents.latent_shape

    def read(self, indices: Tensor, flips: Tensor, crops: Tensor) -> tuple[Tensor, ...]:
        """Return features ``(B, n, D)`` and text states ``(B, L, D)``, where there are any, and then what the latents
        are made of.
        """
        more: list[Tensor] = []
        if self.features is not None:
            more.append(torch.from_numpy(self.features[indices.numpy(), flips[:, 0].numpy()]))
        if self.text_states is not None:
            nothing = torch.zeros_like(indices, dtype=torch.bool)
            more.append(self.text_states.read(indices, nothing, nothing[:, None]))
        return *more, *self.latents.read(indices, flips, crops)

    def encode(self, pictures: tuple[Tensor, ...], noise: Tensor) -> tuple[Tensor, Tensor]:
        """See `PairLatents`."""
        num_more = (self.features is not None) + (self.text_states is not None)
        return self.latents.encode(pictures[num_more:], noise)


def open_expressive_triplets(
    config: MgieTraining,
    dataset: Path,
    pipeline: MgiePipeline,
    mllm: VisionLanguageModel,
    resolution: int,
    num_timesteps: int,
    split: str = "train",
    encoders: Encoders | None = None,
) -> TripletData:
    """Make or open the caches of a data set; VAE and text encoder are moved to the language model's device.

    Args:
        config: of the training.
        dataset: the triplets.
        pipeline: has the VAE.
        mllm: answers.
        resolution: side of the pictures in pixels.
        num_timesteps: of the forward process.
        split: of the data set.
        encoders: have the text encoder whose states are kept, if any.

    Raises:
        BadInputError: the data set cannot be used, or a triplet lacks the text that is to be answered, or has more than
            the language model takes.
    """
    place = mllm.runtime.device
    opened = open_pictures(
        config, dataset, config.editor_location, pipeline.vae, resolution, place, split, config.revision
    )
    [pixels], [latents], [numbers] = opened.pixels, opened.latents, opened.numbers
    num_features: tuple[int, ...] = ()
    features: np.ndarray | None = None
    if config.sees_picture:
        key = input_hash(opened.data_hash, _seeing_hash(mllm), resolution, config.horizontal_flip)
        folder = config.work_dir / f"features-{key[:16]}"
        features = _features(folder, pixels, mllm, 2 if config.horizontal_flip else 1)
        num_features = (features.shape[2],)
    table = rows_of_split(read_index(dataset), split, dataset)
    told = table.column(config.expressive_field).to_pylist()
    silent = next((name for name, text in zip(table.column("id").to_pylist(), told, strict=True) if not text), None)
    if silent is not None:
        raise BadInputError(
            f"{dataset}: triplet {silent} has no {config.expressive_field}, which the language model learns to answer "
            "with: name another expressive_field"
        )
    key = input_hash(opened.data_hash, config.mllm_hash, config.expressive_field, num_features)
    names = [f"{dataset}: triplet {name}" for name in table.column("id").to_pylist()]
    chats = _chats(config.work_dir / f"chats-{key[:16]}", names, pixels.instructions(), told, mllm, num_features)
    states = None if encoders is None else _text_states(config, told, encoders, opened.data_hash, place)
    more = LatentsWithMore(latents, features, states)
    return TripletData(config, num_timesteps, [SizeGroup(more, chats, EpochOrder(config.seed, len(pixels)), numbers)])


def _text_states(
    config: MgieTraining, told: Sequence[str], encoders: Encoders, data_hash: str, device: torch.device
) -> TextCache:
    parts = editor_hash(encoders.editor, TEXT_PARTS, encoders.revision)
    folder = config.work_dir / f"states-{input_hash(data_hash, parts, config.expressive_field)[:16]}"
    return text_cache(folder, told, encoders.tokenizer, encoders.text_encoder.to(device), embed=True)


def _seeing_hash(mllm: VisionLanguageModel) -> str:
    """Hash what makes features of pictures, in its precision: all weights but the language model's, and the sizes.

    Two trainings of one data set, of which the second goes on from the first, have the same features.
    """
    digest = hashlib.sha256(mllm.processor.image_processor.to_json_string().encode())
    chosen = (getattr(mllm.model.config, f"vision_feature_{name}", None) for name in ("layer", "select_strategy"))
    digest.update(str([*chosen]).encode())
    for name, value in sorted(mllm.model.state_dict().items()):
        if "language_model." not in name and "lm_head" not in name:
            digest.update(f"{name} {value.dtype}".encode())
            digest.update(value.detach().contiguous().cpu().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _features(folder: Path, pixels: TripletPixels, mllm: VisionLanguageModel, num_flips: int) -> np.ndarray:
    if not folder.exists():
        with atomic_folder(folder, STAGE) as partial:
            _write_features(partial / "features.npy", pixels, mllm, num_flips)
    found: np.ndarray = np.load(folder / "features.npy", mmap_mode="r")
    return found


def _write_features(path: Path, pixels: TripletPixels, mllm: VisionLanguageModel, num_flips: int) -> None:
    written: np.memmap | None = None
    side = mllm.model.config.vision_config.image_size
    per_step = max(LEAST_PICTURES_PER_STEP, PIXELS_PER_STEP // side**2)
    for flip in range(num_flips):
        for start, pairs in pairs_in_order(pixels, bool(flip), per_step, mllm.model.device):
            images = [to_image(picture) for picture in pairs[:, 0]]
            found = features_of(mllm.model, mllm.processor, images).float().cpu().numpy()
            if written is None:
                written = new_array(path, (len(pixels), num_flips, *found.shape[1:]))
            written[start : start + len(found), flip] = found
    assert written is not None
    written.flush()


def _chats(
    folder: Path,
    names: Sequence[str],
    instructions: Sequence[str],
    told: Sequence[str],
    mllm: VisionLanguageModel,
    num_features: tuple[int, ...],
) -> ExpressiveChats:
    if not folder.exists():
        with atomic_folder(folder, STAGE) as partial:
            chats = list(zip(instructions, told, strict=True))
            distinct: dict[tuple[str, str], str] = {}
            for chat, name in zip(chats, names, strict=True):
                distinct.setdefault(chat, name)
            place = {chat: row for row, chat in enumerate(distinct)}
            np.save(partial / "rows.npy", np.array([place[chat] for chat in chats], dtype=np.int64))
            _write_chats(partial / "tokens.npy", distinct, mllm, num_features)
    return ExpressiveChats(np.load(folder / "rows.npy"), np.load(folder / "tokens.npy", mmap_mode="r"))


def _write_chats(
    path: Path, distinct: Mapping[tuple[str, str], str], mllm: VisionLanguageModel, num_features: tuple[int, ...]
) -> None:
    tokenizer = mllm.processor.tokenizer
    ending = [*picture_token_ids(tokenizer), tokenizer.eos_token_id]
    asked, answers = [question(instruction) for instruction, _ in distinct], [text for _, text in distinct]
    chats = mllm.chat_tokens([num_features] * len(distinct), asked, answers)
    lengths = [len(question_ids) + len(answer) + len(ending) for question_ids, answer in chats]
    most = mllm.model.config.get_text_config().max_position_embeddings
    for name, count in zip(distinct.values(), lengths, strict=True):
        if count > most:
            raise BadInputError(f"{name} has {count} tokens, and the language model takes {most}; shorten its texts")
    length = max(lengths)
    written = new_array(path, (len(chats), 2, length), np.int64)
    for row, (question_ids, answer) in zip(written, chats, strict=True):
        said = [*answer, *ending]
        row[0], row[1] = tokenizer.pad_token_id, IGNORED
        row[0, length - len(said) - len(question_ids) :] = [*question_ids, *said]
        row[1, length - len(said) :] = said
    written.flush()
