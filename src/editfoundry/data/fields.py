"""A triplet's fields without its pixels, as plain JSON values, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from PIL import Image

from editfoundry.data.record import Triplet

TEXT_FIELDS = (
    "instruction", "input_caption", "output_caption", "expressive_instruction", "category", "task", "recipe", "source",
    "split",
)  # fmt: skip


def triplet_fields(triplet: Triplet) -> dict[str, Any]:
    """Return every field but the images, with the id; values are JSON-serialisable."""
    return {
        "id": triplet.id,
        **{name: getattr(triplet, name) for name in TEXT_FIELDS},
        "keywords": list(triplet.keywords),
        "provenance": dict(triplet.provenance),
        "scores": dict(triplet.scores),
    }


def triplet_from_fields(
    fields: Mapping[str, Any],
    input_image: Image.Image,
    output_image: Image.Image,
    mask: Image.Image | None = None,
) -> Triplet:
    """Build a triplet of its images (RGB, one size) and its fields; absent fields are empty."""
    return Triplet(
        input_image=input_image,
        output_image=output_image,
        mask=mask,
        keywords=tuple(str(word) for word in fields.get("keywords") or ()),
        provenance=_mapping(fields.get("provenance")),
        scores={str(name): float(score) for name, score in _mapping(fields.get("scores")).items()},
        **{name: str(fields.get(name) or "") for name in TEXT_FIELDS},
    )


def to_json(value: object) -> str:
    """Return JSON with sorted keys, so that equal values give equal bytes."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False)


def _mapping(value: Any) -> dict[str, Any]:
    return dict(json.loads(value or "{}") if isinstance(value, str) else value or {})
