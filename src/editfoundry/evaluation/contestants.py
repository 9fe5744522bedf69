"""The editors that a benchmark is run with; each is opened only when there is an edit to make."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from editfoundry.editors.editor import Editor


@dataclass(frozen=True, kw_only=True, eq=False)
class Contestant:
    """An editor on a benchmark."""

    name: str
    """Names its folder: letters, digits, ``-``, ``_`` and ``.``."""
    open: Callable[[], Editor]
    """Loads its models."""
    description: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Of its sampling; JSON-serialisable."""
    identity: tuple[str, ...] = ()
    """What its edits depend on beside the settings, for example the hashes of its weights."""
    reads: tuple[str, ...] = ()
    """Parts of an item that it is told beside picture and instruction, such as ``output_caption``."""
