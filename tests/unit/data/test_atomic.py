"""Whole files and folders, or none, on a disk that is full."""

import errno
import json
import resource

import numpy as np
import pytest
from safetensors.numpy import save_file

from editfoundry.data.atomic import atomic_file, atomic_folder, room_for
from editfoundry.data.record import Caption
from editfoundry.data.shards import write_triplets
from editfoundry.data.tables import write_rows
from editfoundry.errors import NoSpaceError


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
