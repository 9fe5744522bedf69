import json

import pytest
from damaged_shards import overwrite_picture

from editfoundry.data import verify
from editfoundry.data.shards import read_index, read_triplet, read_triplets, write_triplets
from editfoundry.data.verify import verify_once, verify_shard
from editfoundry.errors import BadInputError


@pytest.fixture
def folder(tmp_path, triplet):
    for number in range(2):
        write_triplets(tmp_path / "set" / f"{number:05d}.tar", [triplet(3 * number + n) for n in range(3)])
    return tmp_path / "set"


@pytest.mark.parametrize(
    ("role", "complaint"),
    [("input", "other pictures than those"), ("output", "other pictures than those"), ("mask", "another mask than")],
)
def test_another_picture_of_the_same_length_is_found_whoever_reads_the_shard(folder, role, complaint):
    tar = folder / "00001.tar"
    assert verify_shard(folder) == 6
    overwrite_picture(tar, role)
    row = read_index(tar).to_pylist()[0]
    for read in (lambda: verify_shard(tar), lambda: list(read_triplets(folder)), lambda: read_triplet(tar, row)):
        with pytest.raises(BadInputError, match=f"00001.tar: .* holds {complaint}"):
            read()


def test_shards_are_decoded_again_only_where_their_bytes_changed(folder, tmp_path, monkeypatch):
    looked_at = []
    monkeypatch.setattr(verify, "verify_shard", lambda tar: looked_at.append(tar.name))
    record = tmp_path / "verified.json"
    for expected in (["00000.tar", "00001.tar"], []):
        verify_once(folder, record)
        assert looked_at == expected
        looked_at.clear()
    with (folder / "00001.tar").open("ab") as file:
        file.write(b"more")
    verify_once(folder, record)
    assert looked_at == ["00001.tar"] and set(json.loads(record.read_text())) == {"00000.tar", "00001.tar"}


@pytest.mark.parametrize("content", ["", "[1]", "{", "[" * 100_000])
def test_a_damaged_record_counts_as_none(content, folder, tmp_path):
    record = tmp_path / "verified.json"
    record.write_text(content)
    verify_once(folder, record)
    assert len(json.loads(record.read_text())) == 2


def test_a_damaged_shard_stays_unverified(folder, tmp_path):
    overwrite_picture(folder / "00000.tar")
    for _ in range(2):
        with pytest.raises(BadInputError, match="00000.tar"):
            verify_once(folder, tmp_path / "verified.json")
