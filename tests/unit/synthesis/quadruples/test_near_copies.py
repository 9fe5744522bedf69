"""Near-copies by Jaccard index."""

import dataclasses

import numpy as np
import pytest

from editfoundry.data.record import Quadruple
from editfoundry.synthesis.quadruples.near_copies import NearCopies, words_of

GIVEN = Quadruple(
    input_caption="a red cup on a table", instruction="Drop it.", output_caption="red shards on a table",
    keywords=("cup",), category="Physical-Trans", source="",
)  # fmt: skip


def test_case_order_and_punctuation_do_not_matter():
    seen = NearCopies(1.0)
    assert seen.add(GIVEN)
    assert not seen.add(dataclasses.replace(GIVEN, instruction="it ... DROP", category="Long-Term"))


def test_the_same_words_in_another_text_are_something_else():
    seen = NearCopies(0.9)
    swapped = dataclasses.replace(GIVEN, input_caption=GIVEN.output_caption, output_caption=GIVEN.input_caption)
    assert seen.add(GIVEN) and seen.add(swapped)


def test_the_threshold_itself_is_a_near_copy():
    # 12 words, of which the other has 9.
    other = dataclasses.replace(GIVEN, output_caption="red shards")
    assert len(words_of(GIVEN)) == 12 and len(words_of(GIVEN) & words_of(other)) == 9
    for threshold, is_new in [(0.75, False), (0.76, True)]:
        seen = NearCopies(threshold)
        assert seen.add(GIVEN) and seen.add(other) is is_new


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7, 0.9])
def test_it_finds_what_comparing_all_pairs_finds(threshold):
    random = np.random.default_rng(0)
    seen, kept = NearCopies(threshold), []
    for _ in range(200):
        texts = [" ".join(f"w{word}" for word in random.integers(0, 4, 3)) for _ in range(3)]
        drawn = dataclasses.replace(GIVEN, input_caption=texts[0], instruction=texts[1], output_caption=texts[2])
        words = words_of(drawn)
        is_new = all(len(words & other) < threshold * len(words | other) for other in kept)
        assert seen.add(drawn) is is_new
        if is_new:
            kept.append(words)
    assert 3 < len(kept) < 200
