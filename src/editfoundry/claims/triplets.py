"""Training data of the ledger's arms: tinyworld's own pairs, of chosen categories."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from editfoundry.data.hashing import input_hash
from editfoundry.data.record import Triplet
from editfoundry.data.shards import is_done, write_triplets
from editfoundry.tinyworld.edits import Edit, sample_plain_edit, sample_world_edit
from editfoundry.tinyworld.rule import Rule
from editfoundry.tinyworld.rules import trained_rules
from editfoundry.tinyworld.scene_sampling import is_held_out, random_stream
from editfoundry.tinyworld.true_triplet import true_triplet
from editfoundry.tinyworld.wrong_outcomes import shows

TEXT_CATEGORIES = ("Long-Term", "Physical-Trans", "Implicit-Logic", "Story-Type", "Real-to-Virtual")
"""Categories that EditWorld's text-to-image branch yields."""
VIDEO_CATEGORIES = ("Spatial-Trans", "Physical-Trans", "Story-Type", "Exaggeration")
"""Categories that its video branch yields."""
PLAIN_SHARE = 0.2
"""Share of plain add, change and remove edits, so that they are not unlearned."""
_PER_SHARD = 500


def write_category_triplets(folder: Path, count: int, branches: Sequence[Sequence[str]], seed: int) -> None:
    """Write shards of edits with their true outcomes; finished shards stay as they are.

    Args:
        folder: gets the shards.
        count: triplets.
        branches: the categories of each branch; the branches take turns, and so do a branch's rules.
        seed: of the draw.
    """
    for tar, numbers in _shards(folder, count):
        named = [list(branch) for branch in branches]
        digest = input_hash("claims", named, seed, numbers.start, numbers.stop, PLAIN_SHARE)
        if not is_done(tar, digest):
            write_triplets(tar, _triplets(numbers, branches, seed), input_hash=digest)


def write_plain_triplets(folder: Path, count: int, seed: int) -> None:
    """Write shards of plain edits with their true outcomes; finished shards stay, and fewer are the first ones of more.

    Args:
        folder: gets the shards.
        count: triplets.
        seed: of the draw.
    """
    for tar, numbers in _shards(folder, count):
        digest = input_hash("claims plain", seed, numbers.start, numbers.stop)
        if not is_done(tar, digest):
            edits = (_plain_edit(random_stream("claims plain", seed, number)) for number in numbers)
            write_triplets(tar, map(true_triplet, edits), input_hash=digest)


def _shards(folder: Path, count: int) -> Iterator[tuple[Path, range]]:
    for shard, start in enumerate(range(0, count, _PER_SHARD)):
        yield folder / f"{shard:05}.tar", range(start, min(start + _PER_SHARD, count))


def _triplets(numbers: range, branches: Sequence[Sequence[str]], seed: int) -> Iterator[Triplet]:
    rules = [[rule for rule in trained_rules() if rule.category in branch] for branch in branches]
    for number in numbers:
        turn, branch = divmod(number, len(branches))
        yield true_triplet(_edit(rules[branch][turn % len(rules[branch])], number, seed))


def _edit(rule: Rule, number: int, seed: int) -> Edit:
    random = random_stream("claims", seed, number)
    is_plain = random.random() < PLAIN_SHARE
    return _plain_edit(random) if is_plain else _shown(lambda: sample_world_edit(random, "train", rule))


def _plain_edit(random: np.random.Generator) -> Edit:
    return _shown(lambda: sample_plain_edit(random, "train"))


def _shown(draw: Callable[[], Edit]) -> Edit:
    """Draw until an edit shows and its outcome is none that is held out."""
    while True:
        edit = draw()
        if shows(edit) and not is_held_out(edit.after):
            return edit
