"""How long a text is to CLIP's text encoder, which the painter and the editor read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from editfoundry.errors import Rejection
from editfoundry.profiles import Profile

CLIP_TOKENS = 77
"""Of every published CLIP, start and end included; what is longer is cut off where it is read."""


@dataclass(frozen=True)
class TextLengths:
    """Counts tokens as CLIP does."""

    count: Callable[[str], int]
    """Returns a text's tokens, start and end included."""
    most: int

    def check(self, name: str, text: str) -> None:
        """Raise Rejection for a text of which CLIP would not read the end."""
        number = self.count(text)
        if number > self.most:
            raise Rejection(f"{name} too long", f"{number} tokens of CLIP; at most {self.most}")


def load_text_lengths(profile: Profile) -> TextLengths:
    """Load the tokenizer of the profile's CLIP alone.

    Raises:
        MissingModelError: it is not on this machine and cannot be fetched.
    """
    from transformers import AutoTokenizer

    from editfoundry.pretrained.opening import opening

    reference = profile.model("clip")
    with opening(reference, "a tokenizer") as options:
        tokenizer: Any = AutoTokenizer.from_pretrained(reference.location, **options)
    return TextLengths(lambda text: len(tokenizer(text)["input_ids"]), min(CLIP_TOKENS, tokenizer.model_max_length))
