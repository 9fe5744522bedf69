"""The commands of the text stage."""

import json

import pytest
from typer.testing import CliRunner

from editfoundry.cli import app
from editfoundry.errors import BadInputError
from editfoundry.tinyworld.plain_truth import plain_edit_rows


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)


def test_rows_of_the_world_are_written_and_turned_into_chats(tmp_path):
    told = json.loads(run("tinyworld", "instruction-rows", tmp_path / "rows.jsonl", "--num", 5, "--json").stdout)
    assert told["num_rows"] == 5
    lines = (tmp_path / "rows.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == list(plain_edit_rows(5))
    run("instructions", "train", tmp_path / "rows.jsonl", "--write-jsonl", tmp_path / "chats.jsonl")
    assert len((tmp_path / "chats.jsonl").read_text().splitlines()) == 5
    assert sorted(path.name for path in tmp_path.iterdir()) == ["chats.jsonl", "rows.jsonl"]


def test_a_model_is_trained_and_writes_for_captions(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run("tinyworld", "captions", "--out", "captions.parquet", "--num-rows", 12)
    run("sources", "laion", "captions.parquet", "captions")
    run("tinyworld", "instruction-rows", "rows.jsonl", "--num", 6)
    options = ("--num-steps", 2, "--batch-size", 2, "--lora-rank", 2)
    told = json.loads(run("instructions", "train", "rows.jsonl", "model", *options, "--json").stdout)
    assert (told["num_steps"], told["num_rows"]) == (2, 6)
    made = json.loads(run("instructions", "write", "captions", "out", "--model", "model", "--json").stdout)
    assert made["num_in"] == made["num_out"] + sum(made["rejected"].values()) > 5
    assert (tmp_path / "out" / "00000.jsonl").is_file()


def test_a_training_with_nowhere_to_go_is_wrong_usage(tmp_path):
    with pytest.raises(BadInputError, match="give OUTPUT, a folder for the model, or --write-jsonl FILE"):
        run("instructions", "train", tmp_path / "rows.jsonl")


@pytest.mark.parametrize("given", ["rows.jsonl", "."])
def test_the_rows_are_not_replaced_by_their_own_chats(tmp_path, monkeypatch, given):
    monkeypatch.chdir(tmp_path)
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"input": "a cat", "edit": "make it a dog", "output": "a dog"}\n')
    before = rows.read_bytes()
    with pytest.raises(BadInputError, match="rows.jsonl: is the input too"):
        run("instructions", "train", given, "--write-jsonl", tmp_path / "rows.jsonl")
    assert rows.read_bytes() == before
