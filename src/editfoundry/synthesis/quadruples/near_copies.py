"""Finds near-copies by the Jaccard index of their words, exactly, without comparing all pairs."""

from __future__ import annotations

import hashlib
import math
import re
from collections import defaultdict
from fractions import Fraction

from editfoundry.data.record import Quadruple


class NearCopies:
    """The quadruples seen so far; memory grows with their words."""

    def __init__(self, threshold: float) -> None:
        """``threshold`` in (0, 1]: from this Jaccard index on, two quadruples are near-copies."""
        self.threshold = Fraction(str(threshold))
        self._seen: list[frozenset[str]] = []
        self._by_word: defaultdict[str, list[int]] = defaultdict(list)

    def add(self, quadruple: Quadruple) -> bool:
        """Remember the quadruple and return True; return False where it is a near-copy of an earlier one."""
        words = frozenset(words_of(quadruple))
        # Put into one order, two sets this alike share a word within beginnings of this length.
        beginning = sorted(words, key=_order)[: len(words) - math.ceil(self.threshold * len(words)) + 1]
        candidates = {number for word in beginning for number in self._by_word[word]}
        if any(self._alike(words, self._seen[number]) for number in candidates):
            return False
        for word in beginning:
            self._by_word[word].append(len(self._seen))
        self._seen.append(words)
        return True

    def _alike(self, first: frozenset[str], second: frozenset[str]) -> bool:
        return Fraction(len(first & second), len(first | second)) >= self.threshold


def words_of(quadruple: Quadruple) -> set[str]:
    """Return the lower-case words of both captions and the instruction, each marked with the text it is of."""
    texts = {"i": quadruple.input_caption, "e": quadruple.instruction, "o": quadruple.output_caption}
    return {f"{mark}:{word}" for mark, text in texts.items() for word in re.findall(r"[\w'-]+", text.lower())}


def _order(word: str) -> bytes:
    return hashlib.blake2b(word.encode(), digest_size=8).digest()
