"""CLIP metrics, all from one set of embeddings: each picture and each caption goes through CLIP once.

With unit embeddings ``I0``, ``I1`` of input and edit, ``T0``, ``T1`` of their captions: CLIP score and CLIP-out are
``cos(I1, T1)``, image similarity is ``cos(I0, I1)``, and directional similarity is ``cos(I1 - I0, T1 - T0)``
(InstructPix2Pix, section 3.2; EditWorld, section 5; Emu Edit, section 5).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from editfoundry.evaluation.benchmarks.item import BenchmarkItem, Reference
from editfoundry.evaluation.cases import seed_of
from editfoundry.evaluation.clip_scores import ClipEncoder
from editfoundry.evaluation.metrics.edits import ItemPictures, MadeEdit
from editfoundry.evaluation.metrics.metric import Scores

CLIP_METRICS = ("clip_score", "clip_image", "clip_direction", "clip_output", "clip_r_precision")
NUM_CANDIDATES = 100
"""Captions that CLIP-R-Precision (Park et al., 2021) chooses from: an edit's own and up to 99 others."""


@dataclass(frozen=True)
class CaptionEmbeddings:
    """Every caption of a benchmark, embedded once."""

    rows: dict[str, int]
    """Caption -> row."""
    embeds: np.ndarray
    """``(N, D)`` float64, unit norm."""
    candidates: dict[str, np.ndarray]
    """Item's id -> rows of the captions that its edit may be about, its own first."""

    def of(self, caption: str | None) -> np.ndarray | None:
        """Return a caption's embedding ``(D,)``, or None for no caption."""
        return None if caption is None else self.embeds[self.rows[caption]]


def embed_captions(clip: ClipEncoder, items: Sequence[BenchmarkItem], seed: int = 0) -> CaptionEmbeddings:
    """Embed the distinct captions of a benchmark and draw, by seed, what CLIP-R-Precision chooses from."""
    named = {c for item in items for c in (item.input_caption, item.output_caption) if c is not None}
    # Captions of like length share a batch, so that little of it is padding.
    rows = {caption: row for row, caption in enumerate(sorted(named, key=lambda caption: (len(caption), caption)))}
    outputs = np.array(sorted({rows[i.output_caption] for i in items if i.output_caption is not None}), dtype=int)
    candidates = {
        item.id: _candidates(rows[item.output_caption], outputs, seed_of(item.id, seed))
        for item in items
        if item.output_caption is not None
    }
    embeds = np.asarray(clip.encode_texts(list(rows)), dtype=np.float64) if rows else np.empty((0, 0))
    return CaptionEmbeddings(rows, embeds, candidates)


def embed_references(
    clip: ClipEncoder, pictures: Sequence[ItemPictures], reference: Reference
) -> tuple[np.ndarray, np.ndarray]:
    """Return the embeddings of inputs and of references, ``(N, D)`` each; NaN where there is no reference."""
    inputs = _embed(clip, [p.input_image for p in pictures])
    if reference == "input":
        return inputs, inputs
    known = [n for n, p in enumerate(pictures) if p.truth is not None]
    truths = np.full_like(inputs, np.nan)
    if known:
        truths[known] = _embed(clip, [p.truth for n in known if (p := pictures[n]).truth is not None])
    return inputs, truths


def clip_metrics(
    clip: ClipEncoder,
    edits: Sequence[MadeEdit],
    captions: CaptionEmbeddings,
    inputs: np.ndarray,
    references: np.ndarray,
) -> list[Scores]:
    """Return the scores of each edit.

    Args:
        clip: the model.
        edits: N edits.
        captions: of the benchmark.
        inputs: ``(N, D)``, the inputs' embeddings.
        references: ``(N, D)``, those of what image similarity compares with, NaN for none.

    Raises:
        ValueError: the model gives values that are not finite.
    """
    edited = _embed(clip, [edit.edited for edit in edits])
    if not np.isfinite(edited).all():
        raise ValueError(f"{clip.name} gives scores that are not finite: run it in float32")
    return [_scores(edit.pictures.item, edited[n], captions, inputs[n], references[n]) for n, edit in enumerate(edits)]


def _scores(
    item: BenchmarkItem, edited: np.ndarray, captions: CaptionEmbeddings, source: np.ndarray, reference: np.ndarray
) -> Scores:
    before, after = captions.of(item.input_caption), captions.of(item.output_caption)
    fit = None if after is None else float(edited @ after)
    return {
        "clip_score": fit,
        "clip_image": None if np.isnan(reference).any() else float(edited @ reference),
        "clip_direction": None if before is None or after is None else direction(edited - source, after - before),
        "clip_output": fit,
        "clip_r_precision": None if after is None else _is_retrieved(edited, captions, item.id),
    }


def direction(of_images: np.ndarray, of_texts: np.ndarray) -> float | None:
    """Return the cosine of two differences of unit embeddings, ``(D,)`` each.

    None where the captions are the same and name no direction; 0 where the picture did not move.
    """
    lengths = float(np.linalg.norm(of_images)), float(np.linalg.norm(of_texts))
    if lengths[1] < 1e-8:
        return None
    return 0.0 if lengths[0] < 1e-8 else float(of_images @ of_texts / (lengths[0] * lengths[1]))


def _is_retrieved(edited: np.ndarray, captions: CaptionEmbeddings, identifier: str) -> float | None:
    """Return 1 when the edit's own caption fits it strictly best; None when there is no other to choose."""
    similarities = captions.embeds[captions.candidates[identifier]] @ edited
    return float(similarities[0] > similarities[1:].max()) if len(similarities) > 1 else None


def _candidates(own: int, outputs: np.ndarray, seed: int) -> np.ndarray:
    others = outputs[outputs != own]
    if len(others) >= NUM_CANDIDATES:
        others = np.random.default_rng(seed).choice(others, NUM_CANDIDATES - 1, replace=False)
    return np.concatenate([[own], others])


def _embed(clip: ClipEncoder, images: Sequence[object]) -> np.ndarray:
    return np.asarray(clip.encode_images(images), dtype=np.float64)  # type: ignore[arg-type]
