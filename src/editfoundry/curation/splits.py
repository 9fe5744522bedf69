"""Puts each triplet into a split; whatever shares an input caption goes into the same one.

A split that came with the data is kept: what others test on must not be trained on here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from editfoundry.data.record import short_hash
from editfoundry.data.split_leaks import SPLITS
from editfoundry.errors import BadInputError, Rejection


@dataclass(frozen=True, kw_only=True)
class SplitShares:
    """How much of the data each split gets; training gets the rest."""

    validation: float = 0.05
    """Share in [0, 1)."""
    test: float = 0.05
    """Share in [0, 1)."""

    def __post_init__(self) -> None:
        if min(self.validation, self.test) < 0 or self.validation + self.test >= 1:
            raise BadInputError("the shares of validation and test are at least 0 and add up to less than 1")


def split_of(input_caption: str, shares: SplitShares, seed: int) -> str:
    """Return ``train``, ``validation`` or ``test``; it depends on the caption's words and the seed alone."""
    draw = int(short_hash("split", str(seed), _words(input_caption)), 16) / 2**64
    if draw < shares.test:
        return "test"
    return "validation" if draw < shares.test + shares.validation else "train"


def given_splits(rows: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return input caption -> the split that the data came with; captions of rows without a split are left out.

    A caption that several splits have belongs to the one that is furthest from training.
    """
    found: dict[str, str] = {}
    for row in rows:
        if row["split"] in SPLITS and row["input_caption"]:
            words = _words(row["input_caption"])
            found[words] = max(row["split"], found.get(words, row["split"]), key=SPLITS.index)
    return found


class SplitsTaken:
    """Finds each triplet's split and keeps the splits apart: no picture and no edit of a caption is in two of them."""

    def __init__(self, shares: SplitShares, seed: int, given: Mapping[str, str]) -> None:
        """Draw by ``shares`` and ``seed`` where neither a row nor its caption has a split; see `given_splits`."""
        self._shares, self._seed, self._given = shares, seed, given
        self._of_picture: dict[str, str] = {}
        self._of_edit: dict[str, str] = {}

    def split_for(self, row: Mapping[str, Any], picture: str) -> str:
        """Return the split of an index row whose input picture has the hash ``picture``.

        Raises:
            Rejection: the picture, or the same edit of the same caption, is in another split.
        """
        split = self._own_split(row, picture)
        if self._of_picture.get(picture, split) != split:
            taken = self._of_picture[picture]
            raise Rejection("input picture of another split", f"{taken}, and its caption goes into {split}")
        taken = self._of_edit.get(_edit(row), split)
        if taken != split:
            raise Rejection("edit of another split", f"{taken}, and the row came with {split}")
        return split

    def take(self, row: Mapping[str, Any], picture: str, split: str) -> None:
        """Remember where a row that is kept went."""
        self._of_picture[picture] = split
        # Captions that are drawn for cannot meet in two splits.
        if self._given and row["input_caption"]:
            self._of_edit[_edit(row)] = split

    def _own_split(self, row: Mapping[str, Any], picture: str) -> str:
        if row["split"] in SPLITS:
            return str(row["split"])
        known = self._given.get(_words(row["input_caption"]))
        return known or split_of(row["input_caption"] or picture, self._shares, self._seed)


def _words(caption: str) -> str:
    return " ".join(caption.lower().split())


def _edit(row: Mapping[str, Any]) -> str:
    return short_hash(row["input_caption"], row["instruction"])
