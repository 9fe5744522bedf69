"""The shipped files of exemplars, and one's own."""

import pytest

from editfoundry.errors import BadInputError
from editfoundry.synthesis.quadruples.config import TEXT_CATEGORIES
from editfoundry.synthesis.quadruples.exemplars import load_exemplars
from editfoundry.synthesis.quadruples.near_copies import NearCopies
from editfoundry.tinyworld.quadruple_truth import is_true

SHIPPED = ("world", "tinyworld")


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_file_has_five_exemplars_or_more_for_each_category_none_a_copy(name):
    categories = load_exemplars(name).categories
    assert tuple(categories) == TEXT_CATEGORIES
    assert all(len(category.exemplars) >= 5 for category in categories.values())
    seen = NearCopies(0.9)
    assert all(seen.add(exemplar) for category in categories.values() for exemplar in category.exemplars)


@pytest.mark.parametrize("name", SHIPPED)
def test_the_keywords_of_exemplars_are_words_of_their_captions(name):
    for category in load_exemplars(name).categories.values():
        for exemplar in category.exemplars:
            assert exemplar.keywords and set(exemplar.keywords) <= set(exemplar.input_caption.split()), exemplar


def test_tinyworlds_exemplars_are_true():
    assert all(is_true(e) for category in load_exemplars("tinyworld").categories.values() for e in category.exemplars)


@pytest.fixture
def text():
    return load_exemplars("tinyworld").path.read_text()


def test_ones_own_file_is_read(tmp_path, text):
    own = tmp_path / "own.toml"
    own.write_text(text.replace("as in a tale", "as in a legend"))
    assert load_exemplars(str(own)).categories["Story-Type"].definition == "as in a legend"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[defaults]", "[defaults", "not a TOML file"),
        ("num_turns = 1", "", "'num_turns' is missing"),
        ("num_turns = 1", "num_turns = 0", "num_turns must be a whole number from 1"),
        ('verify = "category"', "verify = 3", "verify must be a text"),
        ('name = "Story-Type"', 'name = "Long-Term"', "categories has 'Long-Term' twice"),
        ('name = "Story-Type"', 'name = "Stories"', "category 4: name is 'Stories', which is none of"),
        ('keywords = ["seed"]', 'keywords = "seed"', "exemplar [0-9]*: keywords must be a list of texts, not 'seed'"),
        ("[[categories]]", "[[kinds]]", "categories must be tables, each under "),
        ("[prompts]", "[other]", "'prompts' is missing"),
        ('keywords = ["seed"]', 'keywords = ["beans"]', "keyword not in caption"),
    ],
)
def test_a_malformed_file_is_bad_input_that_names_it(tmp_path, text, old, new, message):
    own = tmp_path / "own.toml"
    assert old in text
    own.write_text(text.replace(old, new))
    with pytest.raises(BadInputError, match=message) as caught:
        load_exemplars(str(own))
    assert "own.toml" in str(caught.value)


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(BadInputError, match="use one of tinyworld, world, or the path"):
        load_exemplars("moon")
