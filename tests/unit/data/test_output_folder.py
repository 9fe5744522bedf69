from __future__ import annotations

import pytest

from editfoundry.data.atomic import atomic_file, atomic_folder
from editfoundry.data.shards import claim_output
from editfoundry.errors import BadInputError


def test_a_new_or_empty_folder_is_claimed_and_claimed_again_by_its_stage(tmp_path):
    claim_output(tmp_path / "a" / "b", "captions")
    (tmp_path / "a" / "b" / "00000.parquet").write_text("x")
    claim_output(tmp_path / "a" / "b", "captions")
    assert (tmp_path / "a" / "b" / ".editfoundry-stage").read_text().strip() == "captions"


def test_a_folder_with_other_content_or_of_another_stage_and_a_file_are_refused(tmp_path):
    (tmp_path / "thesis.doc").write_text("mine")
    with pytest.raises(BadInputError, match="other content"):
        claim_output(tmp_path, "captions")
    with pytest.raises(BadInputError, match="is a file"):
        claim_output(tmp_path / "thesis.doc", "captions")
    claim_output(tmp_path / "out", "captions")
    with pytest.raises(BadInputError, match="output of captions, not of dataset"):
        claim_output(tmp_path / "out", "dataset")


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "x.json"
    path.write_text("old")
    with pytest.raises(KeyError), atomic_file(path) as file:
        file.write(b"half")
        raise KeyError
    assert path.read_text() == "old" and len(list(tmp_path.iterdir())) == 1
    with atomic_file(path) as file:
        file.write(b"new")
    assert path.read_text() == "new" and len(list(tmp_path.iterdir())) == 1


def test_a_folder_is_replaced_whole_or_not_at_all(tmp_path):
    for name in ("first", "second"):
        with atomic_folder(tmp_path / "out", "export") as folder:
            (folder / name).write_text(name)
    with pytest.raises(KeyError), atomic_folder(tmp_path / "out", "export") as folder:
        (folder / "third").write_text("half")
        raise KeyError
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [".editfoundry-stage", "second"]
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
