import pytest

from editfoundry.errors import Rejection
from editfoundry.synthesis.quadruples.keywords import check_keywords


@pytest.mark.parametrize("keyword", ["ice-cream", "Dog's", "melting"])
def test_single_words_of_the_caption_are_keywords_whatever_their_case(keyword):
    check_keywords("the dog's ice-cream, Melting", [keyword])


@pytest.mark.parametrize("keywords", [[], ["cat"], ["ice"], ["the dog's"]])
def test_other_keywords_are_rejected(keywords):
    with pytest.raises(Rejection):
        check_keywords("the dog's ice-cream", keywords)
