"""What the judge is shown."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image


@dataclass(frozen=True, kw_only=True)
class EditPair:
    """An edit that is judged."""

    input_image: Image.Image
    """RGB."""
    output_image: Image.Image
    """RGB."""
    instruction: str
    input_caption: str = ""
    """Empty where it is not known: the judge is not told it then."""
    output_caption: str = ""
    """Empty where it is not known."""
