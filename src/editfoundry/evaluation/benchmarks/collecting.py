"""Gathers a benchmark's items from a folder and notes what is missing, unreadable or left over."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from editfoundry.data.exchange.pairs import resolve_inside
from editfoundry.data.images import open_image
from editfoundry.data.record import short_hash
from editfoundry.errors import BadInputError, Rejection
from editfoundry.evaluation.benchmarks.item import LISTED_AGAIN, BenchmarkItem, MissingEntry

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff")


def safe_id(text: str) -> str:
    """Return ``text`` as an item's id.

    Whatever may not stand in a file's name becomes ``-``; then a hash of the whole text tells it from other texts.
    """
    safe = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip(".-")
    if safe and safe == text:
        return safe
    return f"{safe or 'item'}-{short_hash(text.encode('utf-8', 'surrogatepass'))[:8]}"


@dataclass
class Collection:
    """A benchmark's items while its folder is being read."""

    folder: Path
    items: list[BenchmarkItem] = field(default_factory=list)
    missing: list[MissingEntry] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)
    _named: set[Path] = field(default_factory=set)
    _readable: dict[Path, str] = field(default_factory=dict)
    _ids: set[str] = field(default_factory=set)

    def lacks(self, identifier: str, what: str, reason: str) -> None:
        """Note that an entry lacks something."""
        self.missing.append(MissingEntry(id=identifier, what=what, reason=reason))

    def picture(self, identifier: str, what: str, name: str) -> Path | None:
        """Return the picture that an entry names, decoded in full once; None, and a note, where it cannot be used."""
        try:
            path = resolve_inside(self.folder, name)
        except Rejection as problem:
            self.lacks(identifier, what, str(problem))
            return None
        self._named.add(path.resolve())
        reason = self._reason(path)
        if reason:
            self.lacks(identifier, what, reason.replace(f"{self.folder}/", ""))
        return None if reason else path

    def add(self, item: BenchmarkItem) -> None:
        """Take an item in; one without an instruction, or with the id of another, is noted instead."""
        if not item.instruction.strip():
            self.lacks(item.id, "instruction", "empty or absent")
        elif item.id in self._ids:
            self.repeated.append(f"{item.id}{LISTED_AGAIN}")
        else:
            self._ids.add(item.id)
            self.items.append(item)

    def extra(self) -> tuple[str, ...]:
        """Return the repeated entries, and the pictures below the folder that no entry names."""
        found = (p for p in sorted(self.folder.rglob("*")) if p.suffix.lower() in IMAGE_SUFFIXES and p.is_file())
        unnamed = [str(p.relative_to(self.folder)) for p in found if p.resolve() not in self._named]
        return (*self.repeated, *unnamed)

    def _reason(self, path: Path) -> str:
        if path not in self._readable:
            try:
                open_image(path)
                self._readable[path] = ""
            except BadInputError as error:
                self._readable[path] = str(error)
        return self._readable[path]
