"""What a quadruple's keywords must be: single words of its input caption."""

from __future__ import annotations

import re
from collections.abc import Sequence

from editfoundry.errors import Rejection


def check_keywords(caption: str, keywords: Sequence[str]) -> None:
    """Raise Rejection unless there are keywords and each is a single word of the caption."""
    if not keywords:
        raise Rejection("no keywords", f"for {caption!r}")
    words = set(re.findall(r"[\w'-]+", caption.lower()))
    for keyword in keywords:
        if keyword.lower() not in words:
            raise Rejection("keyword not in caption", f"{keyword!r} is not a word of {caption!r}")
