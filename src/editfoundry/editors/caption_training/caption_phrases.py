"""The phrases of a caption that may name things: what a detector is asked for."""

from __future__ import annotations

import re

MAX_PHRASES = 8
_MAX_WORDS = 6
"""Of a phrase; longer ones are rather sentences, and only their last words are taken."""
_BETWEEN = frozenset(
    "and or but with without in on at of by from to into onto over under above below behind beside near next between "
    "through across along around against for as is are was were be being been has have had having while that which who "
    "whose where when there this these those it its his her their sitting standing lying holding wearing".split()
)
"""Words that end a phrase; a closed list, since a tagger would be one more model."""
_BEFORE = frozenset("a an the some several many few two three four five six".split())


def caption_phrases(caption: str) -> list[str]:
    """Return a caption's phrases without their articles, each once, in order.

    ``"A red cup and two small dogs on the left of a sofa"`` gives ``red cup``, ``small dogs``, ``left``, ``sofa``. What
    names no thing is found nowhere.
    """
    phrases: list[str] = []
    for part in re.split(r"[,.;:!?()\"]+", caption.lower()):
        words: list[str] = []
        for word in [*re.findall(r"[\w'-]+", part), "and"]:
            if word not in _BETWEEN:
                words.append(word)
                continue
            while words and words[0] in _BEFORE:
                words.pop(0)
            if words:
                phrases.append(" ".join(words[-_MAX_WORDS:]))
            words = []
    return list(dict.fromkeys(phrases))[:MAX_PHRASES]
