"""Rows put together anew say the truth as often as the rows do."""

import numpy as np

from editfoundry.synthesis.instructions.instruction_rows import InstructionRow
from editfoundry.synthesis.instructions.recombination import Recombination
from editfoundry.tinyworld.plain_truth import plain_edit_kind, plain_edit_rows


def test_of_tinyworlds_rows_true_ones_are_made_and_most_are_new():
    rows = [InstructionRow(**row) for row in plain_edit_rows(300)]
    recombination, random = Recombination(rows), np.random.default_rng(0)
    drawn = [recombination.draw(number % 300, random) for number in range(900)]
    true = [plain_edit_kind(row.input, row.edit, row.output) is not None for row in drawn]
    assert np.mean(true) > 0.98
    assert len({(row.input, row.edit) for row in drawn} - {(row.input, row.edit) for row in rows}) > 450


def test_what_is_left_alone_is_lent_and_what_is_brought_in():
    rows = [
        InstructionRow(input="a cat by the sea", edit="Swap the cat for a dog.", output="a dog by the sea"),
        InstructionRow(input="an ox by the old house", edit="Swap the ox for a cow.", output="a cow by the old house"),
    ]
    recombination, random = Recombination(rows), np.random.default_rng(0)
    drawn = {recombination.draw(0, random) for _ in range(60)}
    lent = InstructionRow(
        input="a cat by the old house", edit="Swap the cat for a cow.", output="a cow by the old house"
    )
    assert lent in drawn
    assert {row.input.split(" by ")[0] for row in drawn} == {"a cat"}


def test_a_row_that_nothing_fits_stays_as_it_is():
    row = InstructionRow(input="a", edit="b", output="c")
    assert Recombination([row]).draw(0, np.random.default_rng(0)) == row
    same = InstructionRow(input="a b", edit="c.", output="a b")
    assert Recombination([same]).draw(0, np.random.default_rng(0)) == same
