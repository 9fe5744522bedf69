"""Best of N: candidates of a batch of records, their scores, and which one is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from editfoundry.data.record import Quadruple
from editfoundry.diffusion.sampling import record_generator


@dataclass(frozen=True)
class Pictures:
    """Pictures with what was computed of them, row by row."""

    images: list[Image.Image]
    latents: Tensor
    """``(B, C, H, W)`` clean, scaled."""
    clip_embeds: Tensor
    """``(B, D)`` float32, unit norm, on the CPU."""

    def rows(self, indices: Tensor) -> Pictures:
        """Return the pictures of these rows."""
        return Pictures([self.images[i] for i in indices.tolist()], self.latents[indices], self.clip_embeds[indices])

    def repeated(self, count: int) -> Pictures:
        """Return each picture ``count`` times in a row."""
        return self.rows(torch.arange(len(self.images)).repeat_interleave(count))


@dataclass(frozen=True)
class Candidates:
    """``N`` candidates of each of ``B`` records at one step; those of a record lie in a row."""

    step: str
    pictures: Pictures
    """``B * N`` rows."""
    scores: Mapping[str, Tensor]
    """Name -> ``(B, N)``; what ``total`` is made of, and ``total`` itself under the name it is recorded by."""
    total: Tensor
    """``(B, N)``; the highest is kept."""

    def chosen(self, columns: Tensor | None = None) -> Pictures:
        """Return each record's best candidate, or the one that ``columns``, ``(B,)``, names."""
        columns = self.total.argmax(1) if columns is None else columns
        return self.pictures.rows(columns + torch.arange(len(self.total)) * self.total.shape[1])

    def provenance(self, row: int, column: int | None = None) -> dict[str, Any]:
        """Return one record's scores of all candidates and which one was kept, as plain values."""
        kept = int(self.total[row].argmax()) if column is None else column
        scores = {f"{self.step}_candidates_{k}": [round(float(s), 4) for s in v[row]] for k, v in self.scores.items()}
        return {**scores, f"{self.step}_choice": kept}


def candidate_generators(
    batch: Sequence[Quadruple], step: str, num_candidates: int, seed: int
) -> list[torch.Generator]:
    """Return a generator for each candidate of each record; each depends on its record, step and number alone."""
    return [record_generator(seed, q.id, step, candidate) for q in batch for candidate in range(num_candidates)]
