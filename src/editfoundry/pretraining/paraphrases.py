"""Paraphrases of a rule's wordings, so that an editor learns what a rule's words mean and not five sentences by heart.

The test split asks in wordings of its own. Two augmentations of text classification bring training closer to that: word
dropout (Iyyer et al., ACL 2015) and sentences crossed over at random places, here of one rule.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from editfoundry.tinyworld.rules import all_rules

CROSSOVER_SHARE = 0.6
"""Share of paraphrases that begin as one wording and end as another."""
WORD_DROPOUT = 0.15
SHUFFLE_SHARE = 0.2
"""Share of paraphrases whose words come in any order."""
MIN_WORDS = 3


def paraphrase(random: np.random.Generator, wordings: Sequence[str]) -> str:
    """Draw a paraphrase of a rule's training wordings, made of their words alone; never a held-out wording."""
    while True:
        words = _paraphrased(random, wordings)
        if len(words) >= MIN_WORDS and tuple(word.lower() for word in words) not in _held_out():
            return f"{words[0][0].upper()}{' '.join(words)[1:]}."


def _paraphrased(random: np.random.Generator, wordings: Sequence[str]) -> list[str]:
    first, second = (_words(wordings[int(i)]) for i in random.choice(len(wordings), 2, replace=False))
    if random.random() < CROSSOVER_SHARE:
        cut = int(random.integers(1, len(first) + 1))
        first = first[:cut] + second[int(random.integers(len(second))) :]
    kept = [word for word in first if random.random() >= WORD_DROPOUT]
    if random.random() < SHUFFLE_SHARE:
        random.shuffle(kept)
    return kept


def _words(text: str) -> list[str]:
    return re.findall(r"[\w']+", text)


@lru_cache(maxsize=1)
def _held_out() -> frozenset[tuple[str, ...]]:
    texts = [text for rule in all_rules() for text in rule.held_out_wordings]
    texts += [text for rule in all_rules() if not rule.trained for text in rule.wordings]
    return frozenset(tuple(word.lower() for word in _words(text)) for text in texts)
