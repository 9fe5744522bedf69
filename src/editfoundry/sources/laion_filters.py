"""Which rows of a LAION-schema table are kept: by their text, their scores, and whether they were seen before."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

from editfoundry.data.hashing import ONLY_WHEN_SET
from editfoundry.data.record import Caption
from editfoundry.errors import BadInputError, Rejection
from editfoundry.sources.columns import LaionRow, printable, unknown_spelling

SAFE_TAGS = ("UNLIKELY", "SAFE")
"""Values of a safety column that say that a picture is harmless, in upper case."""
_REASON_WHEN_UNKNOWN = {
    "punsafe": "safety unknown",
    "pwatermark": "watermark unknown",
    "similarity": "similarity unknown",
    "aesthetic_score": "aesthetic score unknown",
}
"""Score -> why a row is dropped whose score is missing or no number that such a score can be."""


@dataclass(frozen=True, kw_only=True)
class LaionFilters:
    """What a row must be like; None turns a filter off.

    A score is unknown where the table has no column for it, or the row has nothing there, NaN, an infinity, or a
    probability outside [0, 1]. A row whose score is unknown is dropped by a filter that asks for it, with a reason of
    its own, unless ``keep_unknown`` names the score.
    """

    max_punsafe: float | None = 0.5
    """Probability in [0, 1]."""
    max_pwatermark: float | None = 0.5
    """Probability in [0, 1]."""
    min_similarity: float | None = None
    """CLIP cosine similarity as the table gives it."""
    min_aesthetic_score: float | None = None
    """About 1 to 10; InstructPix2Pix takes 6.5."""
    max_caption_chars: int | None = 300
    """Characters, after runs of whitespace became one space."""
    unsafe_tags: tuple[str, ...] = ("NSFW", "UNSURE")
    """Values of LAION-400M's ``NSFW`` column, in upper case."""
    keep_unknown: tuple[str, ...] = field(default=("pwatermark",), metadata=ONLY_WHEN_SET)
    """Scores that may be unknown: ``punsafe``, ``pwatermark``, ``similarity``, ``aesthetic_score``. Few released tables
    have a watermark score, and a watermark does no harm; what is not known to be safe is dropped."""

    def __post_init__(self) -> None:
        for name in ("max_punsafe", "max_pwatermark"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise BadInputError(f"{name} is {value}; it is a probability, from 0 to 1")
        for name in ("min_similarity", "min_aesthetic_score"):
            value = getattr(self, name)
            if value is not None and not math.isfinite(value):
                raise BadInputError(f"{name} is {value}; it is a number")
        unknown = [name for name in self.keep_unknown if name not in _REASON_WHEN_UNKNOWN]
        if unknown:
            raise BadInputError(f"keep_unknown has {unknown[0]!r}; it may have {', '.join(_REASON_WHEN_UNKNOWN)}")
        if self.max_caption_chars is not None and self.max_caption_chars < 1:
            raise BadInputError(f"max_caption_chars is {self.max_caption_chars}; it must be at least 1")


def check_row(row: LaionRow, filters: LaionFilters) -> None:
    """Raise Rejection, with its reason, for a row that the filters do not let through."""
    caption = row.caption
    if filters.max_caption_chars is not None and len(caption.caption) > filters.max_caption_chars:
        raise Rejection("caption too long", f"{len(caption.caption)} characters")
    if row.nsfw_tag in filters.unsafe_tags:
        raise Rejection("unsafe", f"tagged {row.nsfw_tag}")
    is_tagged_safe = row.nsfw_tag in SAFE_TAGS and caption.punsafe is None
    if not is_tagged_safe:
        _at_most("unsafe", "punsafe", caption.punsafe, filters.max_punsafe, filters)
    _at_most("watermarked", "pwatermark", caption.pwatermark, filters.max_pwatermark, filters)
    _at_least("low similarity", "similarity", caption.similarity, filters.min_similarity, filters)
    _at_least("low aesthetic score", "aesthetic_score", caption.aesthetic_score, filters.min_aesthetic_score, filters)


def check_score_columns(table: Path, names: Sequence[str], roles: Collection[str], filters: LaionFilters) -> None:
    """Check that a table has a column for every score without which no row would pass.

    Args:
        table: what errors call it.
        names: the columns of one of its files, for errors.
        roles: which of `SPELLINGS`' roles its columns play.
        filters: what rows must be like.

    Raises:
        BadInputError: a score's column is missing, or has a name that is not known.
    """
    bounds = {
        "punsafe": filters.max_punsafe,
        "pwatermark": filters.max_pwatermark,
        "similarity": filters.min_similarity,
        "aesthetic_score": filters.min_aesthetic_score,
    }
    for role, bound in bounds.items():
        if bound is None or role in roles or (role == "punsafe" and "nsfw_tag" in roles):
            continue
        suspect = unknown_spelling(names, role)
        if suspect is not None:
            raise BadInputError(
                f"{table}: column {printable(suspect, 40)!r} looks like {role}, but its name is unknown; rename it to "
                f"{role}, or turn that filter off"
            )
        if role not in filters.keep_unknown:
            shown = " ".join(", ".join(str(printable(name, 40)) for name in names[:20]).split())
            raise BadInputError(
                f"{table}: no {role} column, so of no row is it known whether it passes (columns: {shown}); add "
                f"{role} to captions.filters.keep_unknown to take such rows all the same"
            )


class SeenRows:
    """The captions and URLs kept so far, as 64-bit hashes: about 200 bytes of memory for each row kept.

    At a hundred million rows the chance that any two share a hash by accident is below one in a thousand.
    """

    def __init__(self) -> None:
        """Start with nothing seen."""
        self._captions: set[int] = set()
        self._urls: set[int] = set()

    def check(self, caption: Caption) -> None:
        """Raise Rejection for a caption, letter case and whitespace aside, or a URL that was added before."""
        if _hash_of_caption(caption) in self._captions:
            raise Rejection("duplicate caption")
        if caption.url and _hash(caption.url) in self._urls:
            raise Rejection("duplicate url")

    def take(self, caption: Caption) -> None:
        """Remember a caption that nothing seen before is like.

        Raises:
            Rejection: as `check`; then nothing of it is remembered, its URL neither.
        """
        self.check(caption)
        self.add(caption)

    def add(self, caption: Caption) -> None:
        """Remember a caption that is kept, and its URL if it has one."""
        self._captions.add(_hash_of_caption(caption))
        if caption.url:
            self._urls.add(_hash(caption.url))


def _hash_of_caption(caption: Caption) -> int:
    return _hash(" ".join(caption.caption.casefold().split()))


def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")


def _at_most(reason: str, name: str, value: float | None, bound: float | None, filters: LaionFilters) -> None:
    if bound is None or not _is_known(name, value, filters):
        return
    if value is not None and value > bound:
        raise Rejection(reason, f"{name} {value:g} > {bound:g}")


def _at_least(reason: str, name: str, value: float | None, bound: float | None, filters: LaionFilters) -> None:
    if bound is None or not _is_known(name, value, filters):
        return
    if value is not None and value < bound:
        raise Rejection(reason, f"{name} {value:g} < {bound:g}")


def _is_known(name: str, value: float | None, filters: LaionFilters) -> bool:
    """Return whether there is a score; raise Rejection where there is none and one is needed."""
    if value is None and name not in filters.keep_unknown:
        raise Rejection(_REASON_WHEN_UNKNOWN[name], f"no {name}")
    return value is not None
