"""Whether a painter's text encoders read a prompt to its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from editfoundry.errors import Rejection

if TYPE_CHECKING:
    from editfoundry.pretrained.text_to_image import Painter

TOO_LONG = "caption too long"


def check_prompt_length(painter: Painter, name: str, text: str) -> None:
    """Raise Rejection where a prompt is longer than a text encoder of the painter reads, both of SDXL's included."""
    tokenizers: list[Any] = [painter.tokenizer, getattr(painter, "tokenizer_2", None)]
    for tokenizer in filter(None, tokenizers):
        count = len(tokenizer(text)["input_ids"])
        if count > tokenizer.model_max_length:
            raise Rejection(TOO_LONG, f"{name}: {count} tokens, at most {tokenizer.model_max_length}")
