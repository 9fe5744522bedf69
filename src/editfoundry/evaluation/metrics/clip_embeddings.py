"""CLIP's embeddings of a benchmark: each picture and each caption goes through CLIP once, whatever metrics ask for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from PIL import Image
from torch import Tensor

from editfoundry.evaluation.benchmarks.item import BenchmarkItem
from editfoundry.evaluation.metrics.edited_batch import EditedBatch, ItemBatch, Measurement
from editfoundry.evaluation.metrics.image_processing import describe_model
from editfoundry.evaluation.metrics.metric import MetricModel

if TYPE_CHECKING:
    from editfoundry.pretrained.clip import ClipEncoder
    from editfoundry.pretrained.runtime import Runtime
    from editfoundry.profiles import Profile


def _load(profile: Profile, runtime: Runtime) -> ClipEncoder:
    from editfoundry.pretrained.clip import load_clip

    return load_clip(profile, runtime)


CLIP = MetricModel(role="clip", load=_load, describe=describe_model)


@dataclass(frozen=True)
class CaptionEmbeddings:
    """Every caption of a benchmark, embedded once."""

    rows: dict[str, int]
    """Caption -> row."""
    embeds: Tensor
    """``(N, D)`` float64, unit norm."""

    def of(self, captions: Sequence[str]) -> Tensor:
        """Return the embeddings of B captions, ``(B, D)``."""
        return self.embeds[[self.rows[caption] for caption in captions]]


def caption_embeds(measurement: Measurement) -> CaptionEmbeddings:
    """Return the embeddings of the benchmark's distinct captions."""
    return measurement.once("clip captions", lambda: _embed_captions(measurement))


def input_embeds(edits: EditedBatch, rows: Sequence[int]) -> Tensor:
    """Return the embeddings of the rows' inputs, ``(R, D)`` float64 of unit norm."""
    return _embeds(edits.batch, edits.batch.inputs)[list(rows)]


def reference_embeds(edits: EditedBatch, rows: Sequence[int]) -> Tensor:
    """Return the embeddings of what the rows' edits are compared with; NaN where there is nothing."""
    return _embeds(edits.batch, edits.batch.references)[list(rows)]


def edited_embeds(edits: EditedBatch, rows: Sequence[int]) -> Tensor:
    """Return the embeddings of the rows' edits.

    Raises:
        ValueError: the model gives values that are not finite.
    """
    return _finite(edits, _embeds(edits.batch, edits.images)[list(rows)])


def compared_embeds(edits: EditedBatch, rows: Sequence[int]) -> Tensor:
    """Return the embeddings of what the rows' items compare: the mask's crop of the edit, or the edit.

    Raises:
        ValueError: the model gives values that are not finite.
    """
    images = edits.once("compared pictures", dict)
    for row in rows:
        if row not in images:
            images[row] = _compared(edits.item(row), edits.edit(row))
    return _finite(edits, _embeds(edits.batch, [images[row] for row in rows]))


def _compared(item: BenchmarkItem, edit: Image.Image) -> Image.Image:
    """Return the edit, or its crop to the box of the mask's white where the item compares that and has a hole."""
    mask = item.open_mask() if item.compares == "mask-crop" else None
    if mask is None:
        return edit
    box = mask.resize(edit.size, Image.Resampling.NEAREST).point(lambda grey: 255 * (grey >= 128)).getbbox()
    return edit if box is None else edit.crop(box)


def _finite(edits: EditedBatch, embeds: Tensor) -> Tensor:
    if not torch.isfinite(embeds).all():
        name = edits.batch.measurement.models.by_role["clip"].name
        raise ValueError(f"{name} gives scores that are not finite: run it in float32")
    return embeds


def output_caption_embeds(edits: EditedBatch, rows: Sequence[int]) -> Tensor:
    """Return the embeddings of the rows' output captions, which must be there."""
    return caption_embeds(edits.batch.measurement).of([edits.item(row).output_caption or "" for row in rows])


def _embed_captions(measurement: Measurement) -> CaptionEmbeddings:
    items = measurement.benchmark.items
    named = {c for item in items for c in (item.input_caption, item.output_caption) if c is not None}
    # Captions of like length share a batch, so that little of it is padding.
    rows = {caption: row for row, caption in enumerate(sorted(named, key=lambda caption: (len(caption), caption)))}
    clip: ClipEncoder = measurement.models.by_role["clip"]
    return CaptionEmbeddings(rows, clip.encode_texts(list(rows)).double() if rows else torch.empty(0, 0))


def _embeds(batch: ItemBatch, images: Sequence[Image.Image | None]) -> Tensor:
    """Return ``(B, D)`` float64, NaN where there is no picture; each picture of a batch is embedded once."""
    # The batch holds its pictures, so that no other picture can get their identity.
    known: dict[int, tuple[Image.Image, Tensor]] = batch.once("clip pictures", dict)
    new = {id(image): image for image in images if image is not None and id(image) not in known}
    if new:
        clip: ClipEncoder = batch.measurement.models.by_role["clip"]
        embedded = clip.encode_images(list(new.values())).double()
        known.update({key: (image, row) for (key, image), row in zip(new.items(), embedded, strict=True)})
    if not known:
        return torch.full((len(images), 1), torch.nan, dtype=torch.float64)
    nothing = torch.full_like(next(iter(known.values()))[1], torch.nan)
    return torch.stack([nothing if image is None else known[id(image)][1] for image in images])
