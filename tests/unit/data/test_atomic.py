"""Whole files and folders, or none, on a disk that is full."""

import errno
import json
import resource

import numpy as np
import pytest
from safetensors.numpy import save_file

from editfoundry.data.atomic import atomic_file, atomic_folder, room_for
from editfoundry.data.output_folder import check_claim, claim_output
from editfoundry.data.record import Caption
from editfoundry.data.shards import write_triplets
from editfoundry.data.tables import write_rows
from editfoundry.errors import BadInputError, NoSpaceError
from editfoundry.execution.output_lock import output_lock


@pytest.fixture
def little_room():
    """No file above 20,000 bytes can be written."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def write_file(path):
    with atomic_file(path) as file:
        file.write(b"x" * 50_000)


def write_weights(path):
    with atomic_folder(path, "test") as folder:
        save_file({"weights": np.zeros(50_000)}, folder / "model.safetensors")


def write_table(path):
    write_rows(path, [Caption(caption=str(np.random.default_rng(n).random(40))) for n in range(500)], Caption)


@pytest.mark.parametrize("write", [write_file, write_weights, write_table])
def test_a_full_disk_is_one_line_with_path_and_hint_and_leaves_what_was_there(tmp_path, little_room, write):
    with pytest.raises(NoSpaceError) as error:
        write(tmp_path / "out")
    message = str(error.value)
    assert message.startswith(f"{tmp_path / 'out'}: cannot be written: the disk is full or a quota is used up (")
    assert message.endswith("make room there, then run the same command again") and "\n" not in message
    assert not [path for path in tmp_path.iterdir() if path.name != "out"] and not (tmp_path / "out").exists()


def test_a_shard_that_does_not_fit_is_named(tmp_path, little_room, make_triplet):
    with pytest.raises(NoSpaceError, match="00000.tar: cannot be written: the disk is full"):
        write_triplets(tmp_path / "00000.tar", [make_triplet(n) for n in range(40)], [], input_hash="a")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_full_disks_and_quotas_are_told_from_other_errors(tmp_path, number):
    with pytest.raises(NoSpaceError), room_for(tmp_path / "out"):
        try:
            raise OSError(number, "no room")
        except OSError as error:
            raise RuntimeError("a library's own words") from error
    with pytest.raises(PermissionError), room_for(tmp_path / "out"):
        raise PermissionError(errno.EACCES, "no")
    with pytest.raises(json.JSONDecodeError), room_for(tmp_path / "out"):
        json.loads("{")


def lock(path):
    with output_lock(path, "test"):
        pass


MAKERS = {
    "file": write_file,
    "folder": write_weights,
    "claim": lambda path: claim_output(path, "test"),
    "lock": lock,
}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("file.png/out", "cannot be made: .*file.png is no folder"),
        ("file.png/deep/out", "cannot be made: .*file.png is no folder"),
        ("/proc/out", "cannot be made"),
        ("/proc/deep/out", "cannot be made"),
        ("x" * 300, "cannot be made .File name too long."),
    ],
)
def test_a_path_at_which_nothing_can_be_made_is_bad_input_in_one_line(tmp_path, make, place, told):
    (tmp_path / "file.png").write_text("mine")
    with pytest.raises(BadInputError, match=told) as error:
        make(tmp_path / place)
    assert str(error.value).startswith(f"{tmp_path / place}: ") and "\n" not in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ["file.png"]


def test_an_output_file_that_is_a_folder_is_refused_and_left(tmp_path):
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(BadInputError, match="is a folder where an output file should be"):
        write_file(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_claim_below_a_file_is_refused_before_anything_is_made(tmp_path):
    (tmp_path / "file.png").write_text("mine")
    with pytest.raises(BadInputError, match="is no folder"):
        check_claim(tmp_path / "file.png" / "deep" / "out", "test")


def test_what_the_writer_itself_raises_is_not_taken_for_a_fault_of_the_path(tmp_path):
    with pytest.raises(FileNotFoundError), atomic_file(tmp_path / "out"):
        (tmp_path / "gone").read_bytes()
    with pytest.raises(FileNotFoundError), atomic_folder(tmp_path / "out", "test"):
        (tmp_path / "gone").read_bytes()
    assert list(tmp_path.iterdir()) == []
