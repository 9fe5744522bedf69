"""Triplets of tinyworld whose instructions only the picture makes clear, with their true outcomes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from editfoundry.data.hashing import input_hash
from editfoundry.data.record import Triplet
from editfoundry.data.shards import is_done, write_triplets
from editfoundry.tinyworld.ambiguous import ambiguous_rules, sample_ambiguous_edit
from editfoundry.tinyworld.edits import Edit, sample_plain_edit
from editfoundry.tinyworld.scene_sampling import is_held_out, random_stream
from editfoundry.tinyworld.true_triplet import true_triplet
from editfoundry.tinyworld.wrong_outcomes import shows

TRIPLETS_PER_SHARD = 1_000
PLAIN_SHARE = 0.25
"""Share of plain add, change and remove edits, so that they are not unlearned."""


def write_ambiguous_triplets(folder: Path, count: int, seed: int = 0, plain_share: float = PLAIN_SHARE) -> None:
    """Write shards of training scenes; finished shards stay as they are. The output caption is the expressive text."""
    for start in range(0, count, TRIPLETS_PER_SHARD):
        stop, tar = min(start + TRIPLETS_PER_SHARD, count), folder / f"{start // TRIPLETS_PER_SHARD:05}.tar"
        digest = input_hash("ambiguous", seed, start, stop, plain_share)
        if not is_done(tar, digest):
            write_triplets(tar, _triplets(range(start, stop), seed, plain_share), input_hash=digest)


def _triplets(numbers: range, seed: int, plain_share: float) -> Iterator[Triplet]:
    for number in numbers:
        yield true_triplet(_edit(number, seed, plain_share))


def _edit(number: int, seed: int, plain_share: float) -> Edit:
    random, rules = random_stream("ambiguous", seed, number), ambiguous_rules()
    is_plain = random.random() < plain_share
    while True:
        drawn = None if is_plain else sample_ambiguous_edit(random, "train", *rules[number % len(rules)])
        edit = sample_plain_edit(random, "train") if drawn is None else drawn.edit
        if shows(edit) and not is_held_out(edit.after):
            return edit
