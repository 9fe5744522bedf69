"""An edit of tinyworld as a triplet with its true outcome."""

from __future__ import annotations

from PIL import Image

from editfoundry.data.record import Triplet
from editfoundry.tinyworld.edits import Edit
from editfoundry.tinyworld.scene import picture_of


def true_triplet(edit: Edit) -> Triplet:
    """Draw an edit's scenes, 64 x 64 pixels each, and return them with its texts; no split, scores or provenance."""
    return Triplet(
        instruction=edit.instruction,
        input_image=Image.fromarray(picture_of(edit.before)),
        output_image=Image.fromarray(picture_of(edit.after)),
        input_caption=edit.before.caption,
        output_caption=edit.after.caption,
        category=edit.category,
        recipe="tinyworld",
    )
