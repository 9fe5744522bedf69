"""One edit to make, its true outcome and plausible wrong ones."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from editfoundry.tinyworld.editbench.hole import Hole


@dataclass(frozen=True, kw_only=True, eq=False)
class EditCase:
    """One edit whose right answer is known."""

    id: str
    category: str
    rule: str
    """The rule of the world that the instruction sets off."""
    instruction: str
    input_caption: str
    output_caption: str
    input_image: np.ndarray
    """``(H, W, 3)`` uint8 RGB."""
    true_output: np.ndarray
    """``(H, W, 3)`` uint8 RGB."""
    wrong_outputs: np.ndarray
    """``(K, H, W, 3)`` uint8 RGB: plausible outcomes that the instruction does not ask for; K is at least 12 in
    tinyworld."""
    open_outputs: np.ndarray | None = None
    """``(K, H, W, 3)`` uint8 RGB: outcomes that the instruction allows as much as the true one, see `open_outcomes`."""
    task: str = ""
    """One of Emu Edit's sixteen tasks, where the edit was drawn for one."""
    changes: str = ""
    """What the edit changes: a kind of object, ``background``, or nothing where it is not known."""
    event: str = ""
    """Of an instruction that only the picture makes clear: what happens, in whatever wording; see `ambiguous`."""
    touched: np.ndarray | None = None
    """``(H, W)`` bool: of a later turn, where the turns before it truly change the picture; None for no such turn."""
    hole: Hole | None = None
    """Of a picture with a hole: what is asked into it; such an edit is judged by what it shows there."""

    def __post_init__(self) -> None:
        shape = self.input_image.shape
        if len(shape) != 3 or shape[2] != 3:
            raise ValueError(f"case {self.id}: input_image is {shape}, not (H, W, 3)")
        if self.true_output.shape != shape:
            raise ValueError(f"case {self.id}: true_output is {self.true_output.shape}, input_image is {shape}")
        if self.wrong_outputs.ndim != 4 or self.wrong_outputs.shape[1:] != shape:
            raise ValueError(f"case {self.id}: wrong_outputs is {self.wrong_outputs.shape}, not (K, {shape})")
        if {a.dtype for a in (self.input_image, self.true_output, self.wrong_outputs)} != {np.dtype(np.uint8)}:
            raise ValueError(f"case {self.id}: its images are not all uint8")


def stacked_pictures(pictures: Iterable[np.ndarray]) -> np.ndarray | None:
    """Return ``(K, H, W, 3)`` of K pictures; None for none."""
    listed = list(pictures)
    return np.stack(listed) if listed else None
