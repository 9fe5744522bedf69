"""Krippendorff's alpha on the worked examples of "Computing Krippendorff's Alpha-Reliability" (2011)."""

import numpy as np
import pytest

from editfoundry.evaluation.ratings.agreement import krippendorff_alpha

NAN = np.nan
FOUR_OBSERVERS = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, NAN, NAN, NAN],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NAN, 3],
        [NAN, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NAN],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NAN],
    ]
)
"""Section C of the paper: answers left out, any number of observers."""
TWO_OBSERVERS = np.array([[0, 1, 0, 0, 0, 0, 0, 0, 1, 0], [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]], dtype=float)
"""Section A: binary, nothing left out."""


@pytest.mark.parametrize(("metric", "alpha"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_four_observers_with_gaps_agree_as_published(metric, alpha):
    assert krippendorff_alpha(FOUR_OBSERVERS, metric) == pytest.approx(alpha, abs=5e-4)


def test_two_observers_of_binary_data_agree_as_published():
    assert krippendorff_alpha(TWO_OBSERVERS, "nominal") == pytest.approx(0.095, abs=5e-4)


def test_raters_who_say_the_same_agree_fully_and_those_who_contradict_each_other_less_than_chance():
    said = np.array([[1, 2, 1, 3.0]])
    assert krippendorff_alpha(np.repeat(said, 3, axis=0), "ordinal") == 1
    assert krippendorff_alpha(np.array([[0, 1, 0, 1], [1, 0, 1, 0.0]]), "nominal") < 0


@pytest.mark.parametrize(
    "answers",
    [np.array([[1, NAN], [NAN, 2]]), np.array([[1, 1], [1, 1.0]]), np.full((2, 3), NAN), np.array([[1, 2, 3.0]])],
    ids=["no unit twice", "one answer alone", "nothing", "one rater"],
)
def test_where_agreement_is_not_defined_there_is_none(answers):
    assert krippendorff_alpha(answers, "nominal") is None
