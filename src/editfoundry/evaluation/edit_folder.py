"""The edits that one editor has made on one benchmark, as files; an edit that is there is not made again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from editfoundry.data.atomic import atomic_file
from editfoundry.data.hashing import input_hash
from editfoundry.data.images import open_image
from editfoundry.data.png import encode_png
from editfoundry.errors import BadInputError
from editfoundry.evaluation.asked_hash import item_hash
from editfoundry.evaluation.benchmarks.item import BenchmarkItem
from editfoundry.evaluation.contestants import Contestant
from editfoundry.evaluation.json_file import write_json

_STATE = "editor.json"


@dataclass
class EditFolder:
    """``edits/<editor>``: one PNG an item, and what they were made with."""

    path: Path
    digest: str
    seconds: float = 0.0
    """Taken by the edits that are there."""
    num_timed: int = 0
    peak_memory_mb: float = 0.0
    made: dict[str, str] = field(default_factory=dict)
    """Item's id -> hash of what was asked for."""
    words: dict[str, dict[str, str]] = field(default_factory=dict)
    """Item's id -> what the editor said of the edit, as of `EditWords.to_dict`; only of editors that say something."""

    def has(self, item: BenchmarkItem) -> bool:
        """Whether the item's edit is there, whole, and was asked for in these words of this picture."""
        return self.made.get(item.id) == item_hash(item) and self.read(item.id) is not None

    def forget(self, items: Sequence[BenchmarkItem]) -> None:
        """Take edits for not made, now and by whoever opens the folder next."""
        known = [item.id for item in items if item.id in self.made]
        for name in known:
            self.made.pop(name)
            self.words.pop(name, None)
        if known:
            self._write_state()

    def file(self, identifier: str) -> Path:
        """Return where an item's edit is."""
        return self.path / f"{identifier}.png"

    def read(self, identifier: str) -> Image.Image | None:
        """Return an edit, RGB, or None where there is none or its file is damaged."""
        try:
            return open_image(self.file(identifier)) if identifier in self.made else None
        except BadInputError:
            self.made.pop(identifier)
            return None

    def add(
        self,
        edits: Mapping[BenchmarkItem, np.ndarray],
        seconds: float,
        peak_memory_mb: float,
        words: Mapping[str, dict[str, str]] | None = None,
    ) -> None:
        """Write a batch's edits, ``(H, W, 3)`` uint8 RGB each, what they took, and what was said of them."""
        for item, image in edits.items():
            with atomic_file(self.file(item.id)) as file:
                file.write(encode_png(Image.fromarray(image)))
            self.made[item.id] = item_hash(item)
        self.words |= words or {}
        self.seconds += seconds
        self.num_timed += len(edits)
        self.peak_memory_mb = max(self.peak_memory_mb, peak_memory_mb)
        self._write_state()

    def _write_state(self) -> None:
        write_json(self.path / _STATE, {name: value for name, value in vars(self).items() if name != "path"})


def open_edit_folder(path: Path, contestant: Contestant, benchmark: str, seed: int) -> EditFolder:
    """Open an editor's folder; edits made by another editor, with other settings or another seed, are removed."""
    digest = input_hash(list(contestant.identity), dict(contestant.settings), benchmark, seed)
    state = _state(path / _STATE)
    if state.get("digest") == digest:
        return EditFolder(path, **state)
    if path.is_dir():
        shutil.rmtree(path)
    return EditFolder(path, digest)


def _state(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    known = {name.name for name in fields(EditFolder)} - {"path"}
    # Those of before editors had words have none.
    return found if isinstance(found, dict) and set(found) | {"words"} == known else {}
