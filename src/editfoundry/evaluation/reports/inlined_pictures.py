"""A run's pictures as small data addresses, so that a report needs no file beside it."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from editfoundry.data.images import open_image
from editfoundry.errors import BadInputError
from editfoundry.evaluation.reports.run_results import Run, ScoredItem

MAX_SIDE = 256
"""Pixels; larger pictures are shrunk for the report."""
_LOSSLESS_SIDE = 96
"""Up to this side a picture stays as it is: a lossy copy would hide what the editor did to single pixels."""
_QUALITY = 80


@dataclass(frozen=True, kw_only=True)
class ShownPicture:
    """One picture of a figure."""

    title: str
    uri: str | None
    """Data address; None where there is no picture."""
    nothing: str = ""
    """What stands in its place."""
    text: str = ""
    """Below it, for example its scores."""
    mark: str = ""
    """One of `run_results.OUTCOMES`: what an edit became, where that is known."""

    @property
    def is_small(self) -> bool:
        """Whether its single pixels are to be seen."""
        return self.uri is not None and self.uri.startswith("data:image/png")


@dataclass(frozen=True, kw_only=True)
class ShownItem:
    """One figure: an item with its pictures beside each other."""

    id: str
    anchor: str
    """Names the figure in the page's address."""
    row: str
    instruction: str
    images: Sequence[ShownPicture]


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


def input_picture(run: Run, item: ScoredItem) -> ShownPicture:
    """Return the picture that an item asks to edit."""
    uri = inlined_picture(picture_path(run.folder, "inputs", item.id))
    return ShownPicture(title="Input", uri=uri, nothing="not kept")


def truth_pictures(run: Run, item: ScoredItem) -> list[ShownPicture]:
    """Return the picture that an edit should become, or nothing where it is not known."""
    uri = inlined_picture(picture_path(run.folder, "truths", item.id))
    return [ShownPicture(title="Truth", uri=uri)] if uri else []


def edited_picture(run: Run, editor: str, item_id: str, *, title: str = "", text: str = "") -> ShownPicture:
    """Return an editor's edit of an item, or why there is none."""
    item = run.items[editor].get(item_id)
    if item is None:
        return ShownPicture(title=title or editor, uri=None, nothing="not run")
    if item.failure:
        return ShownPicture(title=title or editor, uri=None, nothing=item.failure, mark="failed")
    uri = inlined_picture(picture_path(run.folder, "edits", item_id, editor))
    return ShownPicture(
        title=title or editor, uri=uri, nothing="no picture", text=text if uri else "", mark=item.outcome
    )
