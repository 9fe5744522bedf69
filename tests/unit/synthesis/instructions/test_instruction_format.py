"""The format between stage and model, as InstructPix2Pix released it."""

import pytest

from editfoundry.errors import Rejection
from editfoundry.pretrained.chat import ChatAnswer, Message
from editfoundry.synthesis.instructions.instruction_format import (
    completion,
    is_same_caption,
    question,
    read_answer,
)


def answer(text, finish_reason="stop"):
    return ChatAnswer(text=text, finish_reason=finish_reason, completion_tokens=9)


def test_a_question_ends_with_the_first_delimiter_and_an_answer_holds_the_second_and_the_stop():
    assert question("a cat") == (Message("user", "a cat\n##\n"),)
    assert completion("Make it a dog.", "a dog") == "Make it a dog.\n%%\na dog\nEND"


@pytest.mark.parametrize(
    "text",
    [
        "Make it a dog.\n%%\na dog",
        " Make it  a dog. \n%%\n a\ndog \nEND",
        "Make it a dog.\n%%\na dog\nEND\nMake it a cow.\n%%\na cow",
    ],
    ids=["cut before the stop", "spaces", "goes on behind the stop"],
)
def test_two_answers_are_read_each_on_one_line(text):
    assert read_answer(answer(text)) == ("Make it a dog.", "a dog")


@pytest.mark.parametrize(
    ("text", "finish_reason", "reason"),
    [
        ("Make it a dog. a dog", "stop", "no delimiter"),
        ("one\n%%\ntwo\n%%\nthree", "stop", "more than two answers"),
        ("one\n%%\ntwo\n##\nthree", "stop", "delimiter inside"),
        ("\n%%\na dog", "stop", "empty instruction"),
        ("Make it a dog.\n%%\n ", "stop", "empty edited caption"),
        ("\nEND", "stop", "no delimiter"),
        (" ", "stop", "empty answer"),
        ("Make it a dog.\n%%\na d", "length", "answer cut off"),
        ("Make it a dog.\n%%\na d", "content_filter", "answer cut off"),
        ("one\n##\n%%\ntwo", "stop", "delimiter inside"),
        ("one\n%%\n%%\ntwo", "stop", "delimiter inside"),
        ("%%\n%%\ntwo", "stop", "delimiter inside"),
        ("a\x07b\n%%\na dog", "stop", "control characters in instruction"),
        ("status 400", "refused", "prompt refused"),
    ],
)
def test_what_is_no_pair_of_answers_is_rejected_with_its_reason(text, finish_reason, reason):
    with pytest.raises(Rejection) as caught:
        read_answer(answer(text, finish_reason))
    assert caught.value.reason == reason


def test_an_answer_that_ends_with_the_stop_at_the_limit_is_whole():
    assert read_answer(answer("one\n%%\ntwo\nEND", "length")) == ("one", "two")


def test_captions_are_equal_up_to_case_spaces_and_final_punctuation():
    assert is_same_caption("A cat on a mat.", "a cat  on a mat!?")
    assert not is_same_caption("A cat. On a mat", "a cat on a mat")
