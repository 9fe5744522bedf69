"""Which rows of a LAION-schema table are kept: by their text, their scores, and whether they were seen before."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

from editfoundry.data.record import Caption
from editfoundry.errors import BadInputError, Rejection
from editfoundry.sources.columns import LaionRow


@dataclass(frozen=True, kw_only=True)
class LaionFilters:
    """What a row must be like; None turns a filter off.

    A row without ``punsafe`` or ``pwatermark`` passes those filters: no score says nothing against it. A row without
    ``similarity`` or ``aesthetic_score`` fails a minimum that is asked for.
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

    def __post_init__(self) -> None:
        for name in ("max_punsafe", "max_pwatermark"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise BadInputError(f"{name} is {value}; it is a probability, from 0 to 1")
        if self.max_caption_chars is not None and self.max_caption_chars < 1:
            raise BadInputError(f"max_caption_chars is {self.max_caption_chars}; it must be at least 1")


def check_row(row: LaionRow, filters: LaionFilters) -> None:
    """Raise Rejection, with its reason, for a row that the filters do not let through."""
    caption = row.caption
    if filters.max_caption_chars is not None and len(caption.caption) > filters.max_caption_chars:
        raise Rejection("caption too long", f"{len(caption.caption)} characters")
    if row.nsfw_tag in filters.unsafe_tags:
        raise Rejection("unsafe", f"tagged {row.nsfw_tag}")
    _at_most("unsafe", "punsafe", caption.punsafe, filters.max_punsafe)
    _at_most("watermarked", "pwatermark", caption.pwatermark, filters.max_pwatermark)
    _at_least("low similarity", "similarity", caption.similarity, filters.min_similarity)
    _at_least("low aesthetic score", "aesthetic_score", caption.aesthetic_score, filters.min_aesthetic_score)


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

    def add(self, caption: Caption) -> None:
        """Remember a caption that is kept, and its URL if it has one."""
        self._captions.add(_hash_of_caption(caption))
        if caption.url:
            self._urls.add(_hash(caption.url))


def _hash_of_caption(caption: Caption) -> int:
    return _hash(" ".join(caption.caption.casefold().split()))


def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")


def _at_most(reason: str, name: str, value: float | None, bound: float | None) -> None:
    if bound is not None and value is not None and value > bound:
        raise Rejection(reason, f"{name} {value:g} > {bound:g}")


def _at_least(reason: str, name: str, value: float | None, bound: float | None) -> None:
    if bound is None:
        return
    if value is None:
        raise Rejection(reason, f"no {name}")
    if value < bound:
        raise Rejection(reason, f"{name} {value:g} < {bound:g}")
