"""Takes a batch through a model in as many passes as the memory asks for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import torch

from editfoundry.pretrained.out_of_memory import free_memory, is_out_of_memory

T = TypeVar("T")
VAE_PIXELS_AT_ONCE = 2**22
"""Pixels that an autoencoder encodes or decodes together: four megapixels keep its activations within a few GiB."""
PASS_SIZES = {
    "clip": 64,
    "dino": 64,
    "lpips": 32,
    "ip_adapter": 16,
    "vision_language_model": 16,
    "video_language_model": 8,
    "language_model": 64,
    "segmenter": 1,
    "detector": 8,
    "depth": 16,
    "task_predictor": 64,
    "summarizer": 16,
    "text_to_image": 1,
    "controlnet_canny": 1,
    "editor_base": 1,
}
"""Role -> pictures, prompts or clips of a pass where nothing else is said; of what paints, the least."""
_SHARE = 0.8
"""Of the free memory that passes may fill; the rest is for what the allocator cannot use."""


@dataclass
class Passes:
    """How many pictures go through a model together; learns from passes that did not fit."""

    most: int | None = None
    """At most so many; None lets a CPU take all at once, and a GPU as many as fit into its free memory."""
    device: torch.device | None = None
    """Where the model computes."""

    def run(self, count: int, do: Callable[[slice], T]) -> list[T]:
        """Call ``do`` with the places of a pass, one pass after the other, and return what each gave, in order.

        A pass that runs out of memory is tried again with half of its pictures.

        Args:
            count: pictures.
            do: is given consecutive places, and may be called again with fewer of them.

        Raises:
            Exception: whatever ``do`` raises, being out of memory with one picture included.
        """
        made: list[T] = []
        start = 0
        if self.most is None and count > 1 and self.device is not None and self.device.type == "cuda":
            first, self.most = self._measured(do)
            made, start = [first], 1
        size = count if self.most is None else self.most
        while start < count:
            part = slice(start, min(count, start + size))
            done = self._tried(do, part)
            if done is None:
                # Here, where the error and with it the tensors of the failed pass are gone.
                free_memory()
                size = self.most = max(1, (part.stop - part.start) // 2)
                continue
            made += done
            start = part.stop
        return made

    def _tried(self, do: Callable[[slice], T], part: slice) -> list[T] | None:
        try:
            return [do(part)]
        except Exception as error:
            if not is_out_of_memory(error) or part.stop - part.start == 1:
                raise
            return None

    def _measured(self, do: Callable[[slice], T]) -> tuple[T, int]:
        """Return what the first picture gave, and how many such fit into the memory that is free."""
        device = self.device
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        first = do(slice(0, 1))
        each = max(1, torch.cuda.max_memory_allocated(device) - before)
        return first, max(1, int(_SHARE * _free(device) / each))


def _free(device: torch.device | None) -> int:
    """Return the bytes that tensors can have: the device's free ones, and those that the allocator holds unused."""
    free, _ = torch.cuda.mem_get_info(device)
    return int(free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device))
