"""MagicBrush's test set: sessions of up to three edits of one photograph (MagicBrush, section 4).

``edit_sessions.json`` lists the turns of each photograph, ``images/<photograph>/`` has the pictures, and
``local_descriptions.json`` or ``global_descriptions.json`` say what each picture shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from editfoundry.data.exchange.importing import read_json, text
from editfoundry.data.images import open_with_transparency
from editfoundry.evaluation.benchmarks.collecting import Collection, safe_id
from editfoundry.evaluation.benchmarks.definition import BenchmarkDefinition
from editfoundry.evaluation.benchmarks.item import Benchmark, BenchmarkItem

SESSIONS = "edit_sessions.json"
_CAPTION_FILES = (
    "local_descriptions.json",
    "local_captions.json",
    "local_description.json",
    "global_descriptions.json",
    "global_captions.json",
    "global_description.json",
)
"""The paper takes the local captions for its CLIP-T; each file stands alone, so that no caption pair is mixed."""


def read_magicbrush(folder: Path, *, multi_turn: bool = False) -> Benchmark:
    """Read MagicBrush's test set.

    Single-turn: every turn edits the picture that the data set has for it, and counts. Multi-turn: a turn edits what
    the editor made of the turn before; the paper reports the category ``final turn``.

    Raises:
        BadInputError: no ``edit_sessions.json``, or a file that is not JSON.
    """
    collection = Collection(folder)
    caption_file = next((name for name in _CAPTION_FILES if (folder / name).is_file()), None)
    captions = read_json(folder / caption_file, dict) if caption_file else {}
    for session, turns in read_json(folder / SESSIONS, dict).items():
        rows = [turn if isinstance(turn, Mapping) else {} for turn in (turns if isinstance(turns, list) else [])]
        known = captions.get(session)
        _add_session(collection, session, rows, known if isinstance(known, Mapping) else {}, multi_turn)
    definition = MAGICBRUSH_MULTI_TURN if multi_turn else MAGICBRUSH
    return Benchmark(
        name=definition.name,
        title=definition.title,
        items=tuple(collection.items),
        missing=tuple(collection.missing),
        extra=collection.extra(),
        facts={"captions": caption_file},
        reference="truth",
    )


def _add_session(
    collection: Collection, session: str, turns: list[Mapping[str, Any]], captions: Mapping[str, Any], chained: bool
) -> None:
    for number, turn in enumerate(turns):
        identifier = safe_id(f"{session}-{number + 1}")
        before = len(collection.items)
        item = _item(collection, session, identifier, turn, captions)
        if item is not None:
            collection.add(_placed(item, session, number, len(turns), chained))
        if chained and len(collection.items) == before:
            for later in range(number + 1, len(turns)):
                collection.lacks(safe_id(f"{session}-{later + 1}"), "entry", f"turn {number + 1} before it is missing")
            return


def _item(
    collection: Collection, session: str, identifier: str, turn: Mapping[str, Any], captions: Mapping[str, Any]
) -> dict[str, Any] | None:
    names = {key: text(turn, key) for key in ("input", "output", "mask")}
    paths = {
        what: collection.picture(identifier, what, f"images/{session}/{names[key]}") if names[key] else None
        for key, what in (("input", "input"), ("output", "truth"), ("mask", "mask"))
    }
    if paths["input"] is None:
        if not names["input"]:
            collection.lacks(identifier, "input", "no path given")
        return None
    return {
        "id": identifier,
        "instruction": text(turn, "instruction").strip(),
        "input_image": paths["input"],
        "truth": paths["truth"],
        "mask": paths["mask"] and partial(_mask, paths["mask"]),
        "input_caption": text(captions, names["input"]) or None,
        "output_caption": text(captions, names["output"]) or None,
    }


def _placed(fields: Mapping[str, Any], session: str, number: int, count: int, chained: bool) -> BenchmarkItem:
    if not chained:
        return BenchmarkItem(**fields, category=f"turn {number + 1}")
    category = "final turn" if number == count - 1 else "earlier turn"
    return BenchmarkItem(**fields, category=category, group=safe_id(session), turn=number)


def _mask(path: Path) -> Image.Image:
    """Return the mask, white where the picture is transparent, or white where it has no transparency."""
    pixels = np.asarray(open_with_transparency(path))
    region = pixels[..., 3] < 128 if (pixels[..., 3] < 255).any() else (pixels[..., :3] == 255).all(-1)
    return Image.fromarray(np.where(region, 255, 0).astype(np.uint8)).convert("RGB")


_LAYOUT = "edit_sessions.json, images/<photograph>/, local_descriptions.json or global_descriptions.json"
MAGICBRUSH = BenchmarkDefinition(
    name="magicbrush",
    title="MagicBrush test set, single-turn",
    layout=_LAYOUT,
    read=read_magicbrush,
)
MAGICBRUSH_MULTI_TURN = BenchmarkDefinition(
    name="magicbrush-multi-turn",
    title="MagicBrush test set, multi-turn",
    layout=_LAYOUT,
    read=partial(read_magicbrush, multi_turn=True),
)
