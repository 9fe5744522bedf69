"""Paraphrases of a rule's wordings."""

import re

import numpy as np

from editfoundry.pretraining.paraphrases import MIN_WORDS, paraphrase
from editfoundry.tinyworld.rules import all_rules, trained_rules


def words(text: str) -> list[str]:
    return re.findall(r"[\w']+", text.lower())


def test_a_paraphrase_is_a_sentence_of_the_words_of_its_rule() -> None:
    random = np.random.default_rng(0)
    for rule in trained_rules():
        known = {word for wording in rule.wordings for word in words(wording)}
        for text in (paraphrase(random, rule.wordings) for _ in range(20)):
            assert set(words(text)) <= known and len(words(text)) >= MIN_WORDS
            assert text[0].upper() == text[0] and re.fullmatch(r"[\w' ]+\.", text)


def test_paraphrases_differ() -> None:
    random, rule = np.random.default_rng(0), trained_rules()[0]
    assert len({paraphrase(random, rule.wordings) for _ in range(200)}) > 150


def test_a_held_out_wording_is_never_drawn() -> None:
    """Whatever is drawn from the held-out wordings themselves is none of them."""
    held_out = {tuple(words(text)) for rule in all_rules() for text in rule.held_out_wordings}
    random = np.random.default_rng(0)
    for rule in all_rules():
        for _ in range(40):
            assert tuple(words(paraphrase(random, rule.held_out_wordings))) not in held_out


def test_equal_seeds_draw_equal_paraphrases() -> None:
    wordings = trained_rules()[0].wordings
    first, second = ([paraphrase(np.random.default_rng(5), wordings) for _ in range(3)] for _ in range(2))
    assert first == second
