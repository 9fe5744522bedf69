"""The columns of InternVid-schema tables, and their rows as typed ones."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from editfoundry.errors import Rejection
from editfoundry.sources.columns import printable

SPELLINGS: dict[str, tuple[str, ...]] = {
    "video_id": ("youtubeid", "youtube_id", "video_id", "videoid", "video", "id"),
    "start": ("start_timestamp", "start_time", "start"),
    "end": ("end_timestamp", "end_time", "end"),
    "caption": ("caption", "text"),
    "aesthetic_score": ("aesthetic_score", "aesthetic"),
    "umt_score": ("umt_score", "umt_sim", "score"),
}
"""Role -> names in lower case with underscores, best first: InternVid's, and what others made of them."""
_VIDEO_ID = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,127}")
_CLOCK = re.compile(r"(?:(\d+):)?(\d{1,2}):(\d{1,2}(?:[.,]\d+)?)")
_MAX_CAPTION_CHARS = 2000


@dataclass(frozen=True, kw_only=True)
class InternVidRow:
    """A row of the table."""

    video_id: str
    """Letters, digits, ``-``, ``_`` and ``.``; never a path."""
    start: float
    """Seconds."""
    end: float
    caption: str
    aesthetic_score: float | None
    umt_score: float | None


@lru_cache(maxsize=1024)
def resolve_clip_columns(names: tuple[str, ...]) -> dict[str, str]:
    """Return role -> the column of a table that plays it; roles that no column plays are absent."""
    spelled = {re.sub(r"[\s\-]+", "_", name.strip().lower()): name for name in reversed(names)}
    found = {role: next((spelled[s] for s in spellings if s in spelled), None) for role, spellings in SPELLINGS.items()}
    return {role: name for role, name in found.items() if name is not None}


def clip_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return role -> value of a row as read, under its own column names."""
    return {role: values[name] for role, name in resolve_clip_columns(tuple(values)).items()}


def parse_clip_row(values: Mapping[str, Any]) -> InternVidRow:
    """Turn a row as read into a typed one.

    Raises:
        Rejection: ``bad video id``, ``bad time range``, or ``unreadable row`` where a score is no number.
    """
    by_role = clip_values(values)
    video_id = _text(by_role.get("video_id"))
    if not _VIDEO_ID.fullmatch(video_id):
        raise Rejection("bad video id", repr(video_id)[:120])
    start, end = (_seconds(role, by_role.get(role)) for role in ("start", "end"))
    if not 0 <= start < end:
        raise Rejection("bad time range", f"from {start:g} to {end:g} s")
    return InternVidRow(
        video_id=video_id,
        start=start,
        end=end,
        caption=" ".join(_text(by_role.get("caption")).split()),
        aesthetic_score=_number("aesthetic_score", by_role),
        umt_score=_number("umt_score", by_role),
    )


def _seconds(role: str, value: Any) -> float:
    """Read ``01:02:03.456``, ``02:03.456`` or seconds."""
    text = _text(value)
    match = _CLOCK.fullmatch(text)
    if match:
        hours, minutes, seconds = int(match[1] or 0), int(match[2]), float(match[3].replace(",", "."))
        if minutes < 60 and seconds < 60:
            return hours * 3600 + minutes * 60 + seconds
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise Rejection("bad time range", f"{role} is {text[:40]!r}")
    return number


def _number(role: str, by_role: Mapping[str, Any]) -> float | None:
    text = _text(by_role.get(role))
    if text.lower() in ("", "nan", "none", "null"):
        return None
    try:
        number = float(text)
    except ValueError as error:
        raise Rejection("unreadable row", f"{role} is {text[:40]!r}, not a number") from error
    return number if math.isfinite(number) else None


def _text(value: Any) -> str:
    return "" if value is None else str(printable(value, _MAX_CAPTION_CHARS)).strip()
