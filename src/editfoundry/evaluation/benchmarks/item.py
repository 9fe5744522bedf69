"""What a benchmark is made of: edits to make, and what the benchmark's folder lacks or has too much of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from PIL import Image

from editfoundry.evaluation.benchmarks.picture import PictureSource, open_picture
from editfoundry.tinyworld.edit_case import EditCase

LISTED_AGAIN = ": listed again"
"""Ends an entry of `Benchmark.extra` that repeats another one; the others are pictures."""
Reference = Literal["input", "truth"]
Compared = Literal["mask-crop", "picture"]


@dataclass(frozen=True, kw_only=True, eq=False)
class BenchmarkItem:
    """One edit that every editor is asked for."""

    id: str
    """Unique in the benchmark; letters, digits, ``-``, ``_`` and ``.``, for it names files."""
    category: str
    instruction: str
    input_image: PictureSource
    input_caption: str | None = None
    output_caption: str | None = None
    task: str | None = None
    """One of Emu Edit's sixteen tasks, where the benchmark names one of them."""
    mask: PictureSource | None = None
    """White where to edit."""
    truth: PictureSource | None = None
    """The picture that the edit should become."""
    group: str = ""
    """Session of a multi-turn item; otherwise its own id."""
    turn: int = 0
    """Place in the session, from 0; turn ``n`` edits the editor's own output of turn ``n - 1``."""
    branch: str = ""
    """``text`` or ``video`` for EditWorld, otherwise empty."""
    parts: Mapping[str, str] = field(default_factory=dict)
    """Further ways in which the benchmark is divided: way -> the item's part, as ``{"attribute": "colour"}``."""
    compares: Compared | None = None
    """What of a picture is held against the prompt: EditBench takes the mask's crop or the whole picture."""
    case: EditCase | None = None
    """What tinyworld knows of it."""

    def __post_init__(self) -> None:
        if not self.group:
            object.__setattr__(self, "group", self.id)

    def open_input(self) -> Image.Image:
        """Return the picture to edit, upright 8-bit RGB."""
        return open_picture(self.input_image)

    def open_mask(self) -> Image.Image | None:
        """Return the mask, 8-bit grey, or None where the benchmark has none."""
        return None if self.mask is None else open_picture(self.mask, mask=True)

    def open_truth(self) -> Image.Image | None:
        """Return the target, upright 8-bit RGB, or None where the benchmark has none."""
        return None if self.truth is None else open_picture(self.truth)


@dataclass(frozen=True, kw_only=True)
class MissingEntry:
    """What an entry of the benchmark lacks; one without input or instruction is not asked for."""

    id: str
    what: str
    """``input``, ``mask``, ``truth``, ``instruction`` or ``entry``."""
    reason: str


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """A benchmark as it lies in a folder."""

    name: str
    title: str
    items: tuple[BenchmarkItem, ...]
    missing: tuple[MissingEntry, ...] = ()
    """What the folder should have and lacks, or has and cannot be read."""
    extra: tuple[str, ...] = ()
    """Pictures that no entry names, relative to the folder, and entries that repeat others; see `count_repeated`."""
    facts: Mapping[str, object] = field(default_factory=dict)
    """What a reader of the figures has to know, for example the split."""
    reference: Reference = "input"
    """What L1, L2, PSNR, SSIM, LPIPS, DINO and CLIP image similarity compare an edit with."""


def count_repeated(extra: Sequence[str]) -> int:
    """Return how many of a benchmark's ``extra`` are entries that repeat others."""
    return sum(name.endswith(LISTED_AGAIN) for name in extra)
