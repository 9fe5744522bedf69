import math

import pytest

from dagster_project.rounding import rounded


@pytest.mark.parametrize(
    ("number", "read"),
    [
        (0.31632653061224486, 0.3163),
        (-0.00012345678, -0.0001235),
        (26.123456, 26.12),
        (123456.789, 123457.0),
        (0.0, 0.0),
        (math.inf, math.inf),
        (1e-300 / 3, 3.333e-301),
    ],
)
def test_a_number_has_four_significant_digits_and_all_those_before_the_point(number, read):
    assert rounded(number) == read


def test_whole_numbers_and_words_stay_and_what_is_inside_lists_and_mappings_is_rounded():
    assert rounded({"n": 123456789, "on": True, "of": [1 / 3, "a", None]}) == {
        "n": 123456789,
        "on": True,
        "of": [0.3333, "a", None],
    }
