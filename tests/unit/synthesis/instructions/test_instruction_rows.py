"""Rows as JSONL: written, read in both layouts, and as chats for an endpoint's fine-tuning."""

import json

import pytest

from editfoundry.errors import BadInputError
from editfoundry.synthesis.instructions.instruction_rows import (
    InstructionRow,
    read_instruction_rows,
    write_chats,
    write_instruction_rows,
)

ROWS = [
    InstructionRow(input="a cat", edit="Make it a dog.", output="a dog"),
    InstructionRow(input="é", edit="x", output="y", id="ab", url="https://a.invalid/1", provenance='{"seed": 1}'),
]


def test_rows_come_back_as_they_were_written(tmp_path):
    write_instruction_rows(tmp_path / "rows.jsonl", ROWS)
    assert list(read_instruction_rows(tmp_path / "rows.jsonl")) == ROWS
    assert list(read_instruction_rows(tmp_path)) == ROWS
    first, second = map(json.loads, (tmp_path / "rows.jsonl").read_text().splitlines())
    assert first == {"input": "a cat", "edit": "Make it a dog.", "output": "a dog"}
    assert second["provenance"] == {"seed": 1} and second["url"] == "https://a.invalid/1"


def test_the_released_layout_is_read(tmp_path):
    line = {"prompt": "a cat\n##\n", "completion": " Make it a dog.\n%%\n a dog\nEND"}
    (tmp_path / "rows.jsonl").write_text(json.dumps(line) + "\n\n")
    assert list(read_instruction_rows(tmp_path / "rows.jsonl")) == ROWS[:1]


def test_chats_hold_the_question_and_the_answer_with_its_end(tmp_path):
    write_chats(tmp_path / "chats.jsonl", ROWS[:1])
    assert json.loads((tmp_path / "chats.jsonl").read_text()) == {
        "messages": [
            {"role": "user", "content": "a cat\n##\n"},
            {"role": "assistant", "content": "Make it a dog.\n%%\na dog\nEND"},
        ]
    }


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{", "line 2"),
        ("[1]", "is no JSON object"),
        ('{"input": "a", "edit": "b"}', "output is None"),
        ('{"input": "a", "edit": " ", "output": "c"}', "edit is ' '"),
        ('{"input": "a", "edit": "b", "output": "c\\nEND"}', "output holds '.nEND'"),
        ('{"input": "a\\n##\\nb", "edit": "b", "output": "c"}', "input holds"),
        ('{"prompt": "a", "completion": "b"}', "a prompt ends with"),
        ('{"prompt": "a\\n##\\n", "completion": 3}', "must be texts"),
    ],
)
def test_a_row_that_cannot_be_taught_is_told_with_its_line(tmp_path, line, told):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"input": "a", "edit": "b", "output": "c"}\n' + line + "\n")
    with pytest.raises(BadInputError, match=f"rows.jsonl: line 2: .*{told}|rows.jsonl: {told}"):
        list(read_instruction_rows(path))


def test_a_file_without_rows_and_one_that_is_not_there_are_told(tmp_path):
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(BadInputError, match="empty.jsonl: holds no rows"):
        list(read_instruction_rows(tmp_path / "empty.jsonl"))
    with pytest.raises(BadInputError, match="none.jsonl: missing"):
        list(read_instruction_rows(tmp_path / "none.jsonl"))
