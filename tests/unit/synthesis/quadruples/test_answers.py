"""Answers of language models, tidy and untidy."""

import json

import pytest

from editfoundry.errors import Rejection
from editfoundry.synthesis.quadruples.answers import is_refusal, json_objects, read_category, read_quadruple
from editfoundry.synthesis.quadruples.config import TEXT_CATEGORIES, QuadrupleConfig

CONFIG = QuadrupleConfig()
FIELDS = {
    "input_caption": "a glass of ice", "instruction": "An hour passes.", "output_caption": "a glass of water",
    "keywords": ["ice"],
}  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1}',
        'Sure!\n```json\n{"a": 1}\n```\nMore?',
        '[{"a": 1,},]',
        '<think>{"b": 2} or null?</think>{"a": 1}',
        '{"broken": {"a": 1}',
        '{"a": 1} {"cut off": "he',
    ],
)
def test_the_object_is_found_whatever_stands_around_it(text):
    assert json_objects(text) == [{"a": 1}]


@pytest.mark.parametrize("text", ["", "no", "{", "[1, 2]", '{"a": ', "<think>{}", "{" * 5000])
def test_where_no_whole_object_is_there_is_none(text):
    assert json_objects(text) == []


def test_a_comma_before_a_bracket_inside_a_text_stays():
    assert json_objects('[{"a": "x,]", "b": "c\\",}"}]') == [{"a": "x,]", "b": 'c",}'}]


@pytest.mark.parametrize(
    ("escaped", "read"),
    [
        (r"\ud83d\ude00", "\N{GRINNING FACE}"),
        (r"x\ud83d", "x\x1a"),
        (r"\uDE00\ud83d", "\x1a\x1a"),
        (r"\\ud83d", "\\ud83d"),
    ],
)
def test_half_of_an_escaped_character_becomes_one_that_can_be_written(escaped, read):
    assert json_objects(f'{{"a": "{escaped}"}}') == [{"a": read}]


@pytest.mark.parametrize(
    ("text", "expected"), [("null", True), ("```\nNULL\n```", True), ("<think>null</think>no", False), ("annul", False)]
)
def test_null_is_a_refusal_unless_it_was_only_thought_of(text, expected):
    assert is_refusal(text) is expected


def test_a_quadruple_is_read_and_tidied():
    fields = {**FIELDS, "instruction": " An hour\n passes. ", "keywords": "ice, ice,,Glass", "note": 3}
    quadruple = read_quadruple(fields, "Long-Term", "here", CONFIG)
    assert quadruple.instruction == "An hour passes." and quadruple.keywords == ("ice", "Glass")
    assert (quadruple.category, quadruple.source) == ("Long-Term", "here")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"instruction": 3}, "no instruction"),
        ({"output_caption": "  "}, "no output caption"),
        ({"output_caption": "A glass of ice!"}, "nothing changes"),
        ({"instruction": "a" * 201}, "instruction too long"),
        ({"instruction": "a\x00b"}, "control characters in instruction"),
        ({"keywords": None}, "no keywords"),
        ({"keywords": []}, "no keywords"),
        ({"keywords": ["steam"]}, "keyword not in caption"),
        ({"keywords": ["glass of"]}, "keyword not in caption"),
        ({"keywords": list("abcdefghi")}, "too many keywords"),
    ],
)
def test_what_is_no_quadruple_is_rejected_with_its_reason(change, reason):
    with pytest.raises(Rejection) as caught:
        read_quadruple(json.loads(json.dumps({**FIELDS, **change})), "Long-Term", "", CONFIG)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Long-Term", "Long-Term"),
        ("The category is: **long term**.", "Long-Term"),
        ("Not Long-Term but Story-Type", None),
        ("null", None),
        ("<think>Long-Term?</think> Story_Type", "Story-Type"),
    ],
)
def test_exactly_one_category_must_be_named(text, expected):
    assert read_category(text, TEXT_CATEGORIES) == expected
