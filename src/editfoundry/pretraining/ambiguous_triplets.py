"""Triplets of tinyworld whose instructions only the picture makes clear, with their true outcomes."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from editfoundry.pretraining.drawn_triplets import DrawnTriplets
from editfoundry.tinyworld.ambiguous import ambiguous_rules, sample_ambiguous_edit
from editfoundry.tinyworld.edits import Edit, sample_plain_edit
from editfoundry.tinyworld.explicit import explicit_instruction
from editfoundry.tinyworld.scene_sampling import is_held_out, random_stream
from editfoundry.tinyworld.wrong_outcomes import shows

PLAIN_SHARE = 0.25
"""Share of plain add, change and remove edits, so that they are not unlearned."""


def write_ambiguous_triplets(folder: Path, count: int, seed: int = 0, plain_share: float = PLAIN_SHARE) -> None:
    """Write shards of training scenes; finished shards stay as they are.

    Each triplet's ``expressive_instruction`` says outright what its instruction means.
    """
    draw = partial(_edit, seed=seed, plain_share=plain_share)
    settings = (plain_share,)
    DrawnTriplets(name="ambiguous", seed=seed, settings=settings, draw=draw, says=explicit_instruction).write(
        folder, count
    )


def _edit(number: int, seed: int, plain_share: float) -> Edit:
    random, rules = random_stream("ambiguous", seed, number), ambiguous_rules()
    is_plain = random.random() < plain_share
    while True:
        drawn = None if is_plain else sample_ambiguous_edit(random, "train", *rules[number % len(rules)])
        edit = sample_plain_edit(random, "train") if drawn is None else drawn.edit
        if shows(edit) and not is_held_out(edit.after):
            return edit
