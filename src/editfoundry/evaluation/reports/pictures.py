"""A run's pictures as small data addresses, so that a report needs no file beside it."""

from __future__ import annotations

import base64
import io
from pathlib import Path

from editfoundry.data.images import open_image
from editfoundry.errors import BadInputError

MAX_SIDE = 176
"""Pixels; larger pictures are shrunk for the report."""
_LOSSLESS_SIDE = 96
"""Up to this side a picture stays as it is: a lossy copy would hide what the editor did to single pixels."""
_QUALITY = 82


def picture_path(run: Path, kind: str, item_id: str, editor: str = "") -> Path:
    """Return where a run keeps a picture: ``inputs/ID.png``, ``truths/ID.png``, ``edits/EDITOR/ID.png``."""
    folder = run / kind / editor if editor else run / kind
    return folder / f"{item_id}.png"


def inlined_picture(path: Path) -> str | None:
    """Return the picture as a data address, no side above ``MAX_SIDE``; None where there is none or it is damaged."""
    try:
        picture = open_image(path)
    except BadInputError:
        return None
    lossless = max(picture.size) <= _LOSSLESS_SIDE
    picture.thumbnail((MAX_SIDE, MAX_SIDE))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG" if lossless else "WEBP", **({"optimize": True} if lossless else {"quality": _QUALITY}))
    return f"data:image/{'png' if lossless else 'webp'};base64,{base64.b64encode(buffer.getvalue()).decode()}"
