"""DINO similarity: how much of the reference a network without words still sees in the edit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor

from editfoundry.evaluation.metrics.edited_batch import EditedBatch, ItemBatch
from editfoundry.evaluation.metrics.image_processing import describe_model
from editfoundry.evaluation.metrics.metric import Metric, MetricModel

if TYPE_CHECKING:
    from editfoundry.pretrained.dino import DinoEncoder
    from editfoundry.pretrained.runtime import Runtime
    from editfoundry.profiles import Profile


def _load(profile: Profile, runtime: Runtime) -> DinoEncoder:
    from editfoundry.pretrained.dino import load_dino

    return load_dino(profile, runtime)


def _likeness(edits: EditedBatch, rows: Sequence[int]) -> list[float]:
    dino: DinoEncoder = edits.batch.measurement.models.by_role["dino"]
    references = edits.batch.once("dino references", lambda: _reference_embeds(dino, edits.batch))
    edited = dino.encode_images([edits.edit(row) for row in rows]).double()
    return [float(edited[place] @ references[row]) for place, row in enumerate(rows)]


def _reference_embeds(dino: DinoEncoder, batch: ItemBatch) -> dict[int, Tensor]:
    """Return row -> the class token's embedding of its reference, ``(D,)`` float64 of unit norm."""
    known = {row: image for row, image in enumerate(batch.references) if image is not None}
    return dict(zip(known, dino.encode_images(list(known.values())).double(), strict=True))


DINO = Metric(
    name="dino",
    label="DINO similarity",
    measures="Cosine of the class tokens of edit and reference (MagicBrush, section 4; Emu Edit, section 5).",
    unit="cosine",
    higher_is_better=True,
    compute=_likeness,
    needs=("reference",),
    model=MetricModel(role="dino", load=_load, describe=describe_model),
)
