"""More rows out of few: rows that lend each other what they leave alone, and what they bring in.

What a model has to learn of a few hundred rows is to leave the rest of a caption as it is, whatever that is. So a row
is shown with the beginning or the end of another row's captions in the place of its own, and with what another row
brings in, wherever the same words stand at the seam: data recombination (Jia and Liang, ACL 2016), without a grammar.
Words that the instruction names stay together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from editfoundry.synthesis.instructions.instruction_rows import InstructionRow

Words = tuple[str, ...]
SEAM = 2
"""Words that must be the same at a seam."""


@dataclass(frozen=True)
class _Parts:
    """A row's captions: what both begin with, what changes into what, and what both end with."""

    before: Words
    old: Words
    new: Words
    after: Words
    edit: Words

    @property
    def new_in_edit(self) -> int | None:
        """Where in the instruction the new words stand; None where they do not, or where there are none."""
        size = len(self.new)
        bare = tuple(map(_bare, self.edit))
        return next((i for i in range(len(bare) - size + 1) if size and bare[i : i + size] == self.new), None)


class Recombination:
    """Rows taken apart, and put together anew."""

    def __init__(self, rows: Sequence[InstructionRow]) -> None:
        self._parts = [_taken_apart(row) for row in rows]
        self._befores: dict[Words, list[Words]] = defaultdict(list)
        """Beginnings by their last words."""
        self._afters: dict[Words, list[Words]] = defaultdict(list)
        """Ends by their first words."""
        self._news: dict[tuple[str, str], list[Words]] = defaultdict(list)
        """What is brought in, by the words before and behind it."""
        for parts in self._parts:
            self._befores[parts.before[-SEAM:]].append(parts.before)
            self._afters[parts.after[:SEAM]].append(parts.after)
            if parts.new_in_edit is not None:
                self._news[_around(parts)].append(parts.new)

    def draw(self, number: int, random: np.random.Generator) -> InstructionRow:
        """Return a row with a beginning, an end and new words that are drawn from all rows where they fit."""
        parts = self._parts[number]
        before = _picked(random, self._befores[parts.before[-SEAM:]])
        after = _picked(random, self._afters[parts.after[:SEAM]])
        new, edit, place = parts.new, parts.edit, parts.new_in_edit
        if place is not None:
            new = _picked(random, self._news[_around(parts)])
            end = place + len(parts.new)
            stop = edit[end - 1][len(parts.new[-1]) :]
            edit = (*edit[:place], *new[:-1], new[-1] + stop, *edit[end:])
        told = (before + parts.old + after, edit, before + new + after)
        if told[0] == told[2]:
            told = (parts.before + parts.old + parts.after, parts.edit, parts.before + parts.new + parts.after)
        first, instruction, last = (" ".join(words) for words in told)
        return InstructionRow(input=first, edit=instruction, output=last)


def _taken_apart(row: InstructionRow) -> _Parts:
    first, last = tuple(row.input.split()), tuple(row.output.split())
    most = min(len(first), len(last))
    start = next((i for i in range(most) if first[i] != last[i]), most)
    end = next((i for i in range(most - start) if first[-1 - i] != last[-1 - i]), most - start)
    named = set(map(_bare, row.edit.split()))
    while start and first[start - 1] in named:
        start -= 1
    while end and first[-end] in named:
        end -= 1
    return _Parts(
        before=first[:start],
        old=first[start : len(first) - end],
        new=last[start : len(last) - end],
        after=first[len(first) - end :],
        edit=tuple(row.edit.split()),
    )


def _bare(word: str) -> str:
    return word.rstrip(".,:;!?")


def _around(parts: _Parts) -> tuple[str, str]:
    return parts.before[-1] if parts.before else "", parts.after[0] if parts.after else ""


def _picked(random: np.random.Generator, options: Sequence[Words]) -> Words:
    return options[int(random.integers(len(options)))]
