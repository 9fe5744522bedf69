import pytest

from editfoundry.curation.splits import SplitShares, split_of
from editfoundry.errors import BadInputError


def test_splits_get_their_shares():
    splits = [split_of(f"caption {n}", SplitShares(validation=0.1, test=0.2), 0) for n in range(4000)]
    # Four standard deviations of a binomial draw.
    assert splits.count("validation") / 4000 == pytest.approx(0.1, abs=0.019)
    assert splits.count("test") / 4000 == pytest.approx(0.2, abs=0.026)


def test_case_and_spaces_of_the_caption_do_not_matter():
    shares = SplitShares(validation=0.3, test=0.3)
    assert all(split_of(f"A  Cat {n} ", shares, 0) == split_of(f"a cat {n}", shares, 0) for n in range(50))


@pytest.mark.parametrize(("validation", "test"), [(-0.1, 0.1), (0.5, 0.5)])
def test_shares_that_leave_nothing_for_training_are_refused(validation, test):
    with pytest.raises(BadInputError, match="shares"):
        SplitShares(validation=validation, test=test)
