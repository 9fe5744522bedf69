"""The journal of answers."""

import pytest

from editfoundry.pretrained.chat import AnswerToken, ChatAnswer, Message, Request, Sampling
from editfoundry.pretrained.journal import Journal, journal_path, request_key

ANSWERS = [
    ChatAnswer(text="zürich\u2028\n{}", prompt_tokens=3, completion_tokens=2, finish_reason="stop"),
    ChatAnswer(),
    ChatAnswer(text="5", tokens=(AnswerToken(" 5", {" 5": -0.1, " 4": -2.5}), AnswerToken("}", {}))),
]


@pytest.fixture
def path(tmp_path):
    path = journal_path(tmp_path / "out" / "00007.parquet")
    journal = Journal(path)
    for number, answer in enumerate(ANSWERS):
        journal.add(str(number), answer)
    journal.sync()
    journal.close()
    return path


def test_what_was_written_is_read_back(path):
    assert path.name == "00007.journal.jsonl"
    journal = Journal(path)
    assert [journal.get(key) for key in ("0", "1", "2", "3")] == [*ANSWERS, None]
    journal.close()


def test_half_a_character_is_written_as_one_that_is_whole(path):
    journal = Journal(path)
    journal.add("3", ChatAnswer(text="half \ud83d, \ud83d\ude00", finish_reason="\udc00"))
    journal.close()
    assert Journal(path).get("3") == ChatAnswer(text="half \x1a, \N{GRINNING FACE}", finish_reason="\x1a")


def test_a_torn_last_line_is_cut_off_and_the_next_answer_is_not_glued_to_it(path):
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"key": "3", "text": "tor')
    journal = Journal(path)
    assert path.read_bytes() == whole and journal.get("3") is None
    journal.add("3", ANSWERS[0])
    journal.close()
    assert Journal(path).get("3") == ANSWERS[0]


@pytest.mark.parametrize("line", [b"\xff\n", b"3\n", b"{}\n", b'{"key": "3", "colour": "red"}\n', b"\n"])
def test_a_line_that_is_no_answer_is_passed_over(path, line):
    path.write_bytes(line + path.read_bytes())
    journal = Journal(path)
    assert [journal.get(key) for key in ("0", "1", "2", "3")] == [*ANSWERS, None]
    journal.close()


def test_everything_that_shapes_an_answer_is_in_its_key():
    request = Request(chat=(Message("user", "hello"),), seed=1)
    keys = {
        request_key("a", request, Sampling()),
        request_key("b", request, Sampling()),
        request_key("a", Request(chat=request.chat, seed=2), Sampling()),
        request_key("a", Request(chat=(Message("system", "hello"),), seed=1), Sampling()),
        request_key("a", request, Sampling(temperature=0.1)),
    }
    assert len(keys) == 5 and request_key("a", request, Sampling()) in keys
