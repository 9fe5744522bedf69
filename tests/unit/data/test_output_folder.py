from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from editfoundry.data.atomic import atomic_file, atomic_folder, restore_folder
from editfoundry.data.output_folder import MARKER, claim_output, input_of
from editfoundry.data.storage import locate
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


def test_the_mark_remembers_the_input_and_refuses_another_unless_told_to_replace(tmp_path):
    out = tmp_path / "out"
    claim_output(out, "captions", "../a.csv")
    claim_output(out, "captions", "../b.csv")
    (out / "00000.parquet").write_text("x")
    with pytest.raises(BadInputError, match=r"holds captions made of .*/b.csv, not of .*/a.csv; .* --replace"):
        claim_output(out, "captions", "../a.csv")
    claim_output(out, "captions")
    assert (out / MARKER).read_text() == "captions\ninput: ../b.csv\n"
    claim_output(out, "captions", "../a.csv", replace=True)
    assert (out / MARKER).read_text() == "captions\ninput: ../a.csv\n"


def test_an_input_is_named_from_its_output_and_an_address_as_it_is(tmp_path):
    assert input_of(tmp_path / "data" / "captions", tmp_path / "data" / "quadruples") == "../captions"
    assert input_of(locate("s3://bucket/triplets"), tmp_path) == "s3://bucket/triplets"


def test_a_mark_is_written_whole_or_stays_as_it_was(tmp_path, monkeypatch):
    claim_output(tmp_path / "out", "captions", "a")
    before = (tmp_path / "out" / MARKER).read_bytes()

    def full(descriptor):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space"):
        patch.setattr("os.fsync", full)
        claim_output(tmp_path / "out", "captions", "b")
    assert (tmp_path / "out" / MARKER).read_bytes() == before
    assert [path.name for path in (tmp_path / "out").iterdir()] == [MARKER]


def test_an_accepted_mark_is_not_written_again(tmp_path):
    claim_output(tmp_path / "out", "captions", "a")
    before = (tmp_path / "out" / MARKER).stat()
    claim_output(tmp_path / "out", "captions", "a")
    after = (tmp_path / "out" / MARKER).stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_damaged_mark_without_content_is_written_anew(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / MARKER).touch()
    claim_output(tmp_path / "out", "captions")
    assert (tmp_path / "out" / MARKER).read_text() == "captions\n"


def test_many_who_claim_a_folder_at_once_all_succeed_and_leave_one_whole_mark(tmp_path):
    code = (
        "import sys; from pathlib import Path; from editfoundry.data.output_folder import claim_output\n"
        "for _ in range(200): claim_output(Path(sys.argv[1]), 'captions', sys.argv[2])"
    )
    starters = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "out"), str(n)]) for n in range(4)]
    assert [starter.wait(timeout=120) for starter in starters] == [0] * 4
    assert [path.name for path in (tmp_path / "out").iterdir()] == [MARKER]
    assert (tmp_path / "out" / MARKER).read_text() in {f"captions\ninput: {n}\n" for n in range(4)}


@pytest.mark.parametrize("is_new_there", [False, True])
def test_a_folder_put_aside_by_a_killed_writer_is_put_back_where_nothing_took_its_place(tmp_path, is_new_there):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    aside = tmp_path / f".out.{ended.pid}.replaced"
    claim_output(aside, "export")
    (aside / "old").write_text("old")
    if is_new_there:
        claim_output(tmp_path / "out", "export")
    restore_folder(tmp_path / "out")
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out" / "old").exists() != is_new_there


def test_one_of_old_and_new_is_on_the_disk_whenever_a_writer_is_killed(tmp_path, monkeypatch):
    with atomic_folder(tmp_path / "out", "export") as folder:
        (folder / "content").write_text("old")
    replace = os.replace

    def watched(source, target):
        found = {path.read_text() for path in tmp_path.glob("*/content")} | {
            path.read_text() for path in tmp_path.glob(".*/content")
        }
        # The marker of the new folder is put in its place by a rename too, before there is anything new.
        if Path(source).is_dir():
            assert found == {"old", "new"}
        replace(source, target)

    monkeypatch.setattr(os, "replace", watched)
    with atomic_folder(tmp_path / "out", "export") as folder:
        (folder / "content").write_text("new")
    assert [p.name for p in tmp_path.iterdir()] == ["out"] and (tmp_path / "out/content").read_text() == "new"


def test_where_the_new_folder_cannot_take_the_place_the_old_one_stays(tmp_path, monkeypatch):
    with atomic_folder(tmp_path / "out", "export") as folder:
        (folder / "content").write_text("old")
    replace = os.replace

    def fails_once(source, target):
        if str(source).endswith(".partial"):
            raise OSError("no")
        replace(source, target)

    monkeypatch.setattr(os, "replace", fails_once)
    with pytest.raises(OSError, match="no"), atomic_folder(tmp_path / "out", "export") as folder:
        (folder / "content").write_text("new")
    assert [p.name for p in tmp_path.iterdir()] == ["out"] and (tmp_path / "out/content").read_text() == "old"
