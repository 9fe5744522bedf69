"""The columns of LAION-schema tables, in every spelling they were released with."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any

from editfoundry.data.record import Caption
from editfoundry.errors import Rejection

SPELLINGS: dict[str, tuple[str, ...]] = {
    "caption": ("eng_text", "top_caption", "caption", "text", "alt_text"),
    "url": ("url", "image_url", "img_url"),
    "width": ("original_width", "width", "image_width"),
    "height": ("original_height", "height", "image_height"),
    "similarity": (
        "similarity",
        "clip_similarity",
        "clip_similarity_vitl14",
        "clip_l14_similarity_score",
        "clip_similarity_vitb32",
        "clip_b32_similarity_score",
    ),
    "punsafe": (
        "punsafe",
        "p_unsafe",
        "unsafe",
        "unsafe_probability",
        "unsafe_prob",
        "unsafe_score",
        "nsfw_score",
        "nsfw_probability",
        "nsfw_prob",
        "p_nsfw",
        "pnsfw",
        "nsfw_score_opennsfw2",
        "nsfw_score_gantman",
        "opennsfw2",
    ),
    "pwatermark": (
        "pwatermark",
        "p_watermark",
        "watermark",
        "watermark_score",
        "watermark_probability",
        "watermark_prob",
    ),
    "aesthetic_score": ("aesthetic_score", "aesthetic", "aesthetic_score_laion_v2", "aesthetics", "prediction"),
    "nsfw_tag": ("nsfw", "nsfw_tag"),
}
"""Role -> names in lower case with underscores, best first.

LAION-400M, LAION-5B, Re-LAION and LAION-Aesthetics v1 and v2 (``URL TEXT WIDTH HEIGHT similarity punsafe pwatermark
aesthetic`` or ``AESTHETIC_SCORE``, ``NSFW``), the tables translated to English (``ENG TEXT``), LAION-COCO (whose
``top_caption`` describes the image where ``TEXT`` is the page's), COYO-700M, DataComp, and what img2dataset writes,
where ``original_width`` is LAION's ``WIDTH`` and ``width`` that of the resized copy.
"""

_SUSPECTS = {"punsafe": re.compile("nsfw|safe|porn"), "pwatermark": re.compile("watermark")}
"""Role -> what in a column's name tells that the column may play it under a name that is not known."""
_NO_VALUE = frozenset({"", "nan", "none", "null", "na", "n/a", "<na>"})
_TRUTH = {"true": 1.0, "false": 0.0}
_NOT_TEXT = re.compile(r"[\x00-\x08\x0e-\x1b\x7f\ud800-\udfff]")


@dataclass(frozen=True, kw_only=True)
class LaionRow:
    """A row's caption and scores, and what else the filters ask for."""

    caption: Caption
    nsfw_tag: str = ""
    """``UNLIKELY``, ``UNSURE`` or ``NSFW``, as LAION-400M has it; upper case."""


@lru_cache(maxsize=1024)
def resolve_columns(names: tuple[str, ...]) -> dict[str, str]:
    """Return role -> the column of a table that plays it; roles that no column plays are absent."""
    spelled = {_spelling(name): name for name in reversed(names)}
    found = {role: next((spelled[s] for s in spellings if s in spelled), None) for role, spellings in SPELLINGS.items()}
    return {role: name for role, name in found.items() if name is not None}


def unknown_spelling(names: Iterable[str], role: str) -> str | None:
    """Return the first column that may play ``punsafe`` or ``pwatermark`` by a name that `SPELLINGS` has not."""
    suspect = _SUSPECTS.get(role)
    if suspect is None:
        return None
    known = {spelling for spellings in SPELLINGS.values() for spelling in spellings}
    return next((n for n in names if suspect.search(_spelling(n)) and _spelling(n) not in known), None)


def values_by_role(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return role -> value of a row as read, under its own column names."""
    return {role: values[name] for role, name in resolve_columns(tuple(values)).items()}


def parse_row(values: Mapping[str, Any]) -> LaionRow:
    """Turn a row as read (column name -> value, text as ``str`` or UTF-8 ``bytes``) into a typed one.

    Runs of whitespace in the caption become one space. Scores that are missing or not finite are None, and so are
    probabilities outside [0, 1]: LAION writes -1 where a classifier gave none.

    Raises:
        Rejection: ``empty caption``, ``caption is not text``, or ``unreadable row`` where a score is no number.
    """
    by_role = values_by_role(values)
    caption = Caption(
        caption=_caption(by_role.get("caption")),
        url=_text_or_empty(by_role.get("url")),
        width=_pixels("width", by_role),
        height=_pixels("height", by_role),
        similarity=_number("similarity", by_role),
        punsafe=_probability("punsafe", by_role),
        pwatermark=_probability("pwatermark", by_role),
        aesthetic_score=_number("aesthetic_score", by_role),
    )
    return LaionRow(caption=caption, nsfw_tag=_nsfw_tag(by_role))


def printable(value: Any, max_chars: int = 1000) -> Any:
    """Return a value of a row as what JSON and UTF-8 can hold, long text cut to ``max_chars`` characters."""
    if value is None or isinstance(value, bool) or (isinstance(value, int) and abs(value) < 2**63):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return text[:max_chars].encode("utf-8", "replace").decode()


def _spelling(name: str) -> str:
    return re.sub(r"[\s\-]+", "_", name.strip().lower())


def _caption(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        raise Rejection("empty caption")
    if not isinstance(value, (str, bytes)):
        raise Rejection("caption is not text", f"{type(value).__name__} {printable(value, 80)!r}")
    try:
        text = value.decode() if isinstance(value, bytes) else value
    except UnicodeDecodeError as error:
        raise Rejection("caption is not text", "its bytes are not UTF-8") from error
    text = " ".join(text.split())
    if not text:
        raise Rejection("empty caption")
    if _NOT_TEXT.search(text):
        raise Rejection("caption is not text", "it has control characters or bytes that are not UTF-8")
    if not any(character.isalpha() for character in text):
        raise Rejection("caption is not text", f"no letter in {text[:80]!r}")
    return text


def _text_or_empty(value: Any) -> str:
    return str(printable(value, max_chars=8192)).strip() if isinstance(value, (str, bytes)) else ""


def _nsfw_tag(by_role: Mapping[str, Any]) -> str:
    try:
        score = _number("nsfw_tag", by_role)
    except Rejection:
        return _text_or_empty(by_role["nsfw_tag"]).upper()
    # Derived tables turn the tag into a flag or a probability under the same name.
    if score is None or not 0 <= score <= 1:
        return ""
    return "NSFW" if score > 0.5 else "UNLIKELY"


def _pixels(role: str, by_role: Mapping[str, Any]) -> int | None:
    number = _number(role, by_role)
    return round(number) if number is not None and 0 < number < 2**31 else None


def _probability(role: str, by_role: Mapping[str, Any]) -> float | None:
    number = _number(role, by_role)
    return number if number is not None and 0 <= number <= 1 else None


def _number(role: str, by_role: Mapping[str, Any]) -> float | None:
    value = by_role.get(role)
    if isinstance(value, (str, bytes)):
        text = str(printable(value)).strip().lower()
        value = None if text in _NO_VALUE else _TRUTH.get(text, text)
    if value is None:
        return None
    try:
        if not isinstance(value, (str, int, float, Decimal)):
            raise TypeError(type(value).__name__)
        number = float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise Rejection("unreadable row", f"{role} is {printable(value, 40)!r}, not a number") from error
    return number if math.isfinite(number) else None
