from __future__ import annotations

import os
import signal
import subprocess
import sys
import tarfile
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import webdataset
from PIL import Image

from editfoundry.data.index import index_path
from editfoundry.data.record import Triplet
from editfoundry.data.rejections import RejectedRow, read_rejections
from editfoundry.data.shards import (
    count_triplets,
    file_hash,
    input_hash,
    is_done,
    read_fields,
    read_index,
    read_member,
    read_triplet,
    read_triplets,
    reused_result,
    shard_paths,
    write_triplets,
)
from editfoundry.errors import BadInputError
from editfoundry.execution.shard_store import TripletStore


def visible(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_triplets_come_back_as_they_were_written(tmp_path, triplet, same):
    written = [triplet(n) for n in range(4)]
    result = write_triplets(tmp_path / "00000.tar", iter(written))
    assert (result.num_in, result.num_out, result.rejected) == (4, 4, {})
    read = list(read_triplets(tmp_path))
    assert len(read) == 4 and all(map(same, written, read))
    assert [t.id for t in read] == [t.id for t in written]


def test_equal_triplets_give_equal_bytes_of_tar_and_index(tmp_path, triplet):
    for name in ("a", "b"):
        write_triplets(tmp_path / name / "00000.tar", (triplet(n) for n in range(3)), input_hash="h")
        time.sleep(0.01)
    for file in ("00000.tar", "00000.parquet"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_metadata_of_an_image_does_not_reach_the_bytes(tmp_path, triplet):
    plain = triplet(0)
    loaded = triplet(0)
    loaded.input_image.info.update(icc_profile=b"profile", transparency=(1, 2, 3), dpi=(300, 300))
    write_triplets(tmp_path / "a.tar", [plain])
    write_triplets(tmp_path / "b.tar", [loaded])
    assert file_hash(tmp_path / "a.tar") == file_hash(tmp_path / "b.tar")


def test_webdataset_reads_the_tar(tmp_path, triplet):
    written = [triplet(n) for n in range(3)]
    write_triplets(tmp_path / "00000.tar", written)
    samples = list(webdataset.WebDataset(str(tmp_path / "00000.tar"), shardshuffle=False).decode("pil"))
    assert [s["__key__"] for s in samples] == [t.id for t in written]
    for sample, one in zip(samples, written, strict=True):
        assert sample["input.png"].tobytes() == one.input_image.tobytes()
        assert sample["output.png"].tobytes() == one.output_image.tobytes()
        assert ("mask.png" in sample) == (one.mask is not None)
        assert sample["json"]["provenance"] == one.provenance


def test_offsets_of_the_index_are_those_of_the_tar(tmp_path, triplet):
    tar = tmp_path / "00000.tar"
    write_triplets(tar, [triplet(n) for n in range(3)])
    with tarfile.open(tar) as file:
        members = {m.name: (m.offset_data, m.size) for m in file.getmembers()}
    rows = read_index(tmp_path).to_pylist()
    for row in rows:
        assert members[row["id"] + ".input.png"] == (row["input_offset"], row["input_length"])
        assert members[row["id"] + ".json"] == (row["json_offset"], row["json_length"])
        assert read_member(tar, row["output_offset"], row["output_length"]).startswith(b"\x89PNG")
    assert [row["mask_offset"] is None for row in rows] == [True, False, True]


def test_a_mask_that_the_index_lost_is_missed_by_its_hash(tmp_path, triplet):
    tar = tmp_path / "00000.tar"
    write_triplets(tar, [triplet(1)])
    change_index(tar, 0, mask_offset=None, mask_length=None)
    with pytest.raises(BadInputError, match="row 1 .* holds another mask than"):
        list(read_triplets(tmp_path))


def test_an_index_from_before_masks_had_a_hash_is_read_alone_and_beside_newer_ones(tmp_path, triplet, same):
    written = [triplet(n) for n in range(4)]
    write_triplets(tmp_path / "00000.tar", written[:2])
    write_triplets(tmp_path / "00001.tar", written[2:])
    older = index_path(tmp_path / "00000.tar")
    pq.write_table(pq.read_table(older).drop_columns("mask_hash"), older)
    assert all(map(same, written, read_triplets(tmp_path)))
    hashes = read_index(tmp_path).column("mask_hash").to_pylist()
    assert [value is None for value in hashes] == [True, True, True, False]
    assert TripletStore().fits(tmp_path)


def test_shards_written_before_triplets_had_a_task_are_read_as_of_no_known_task(tmp_path, triplet):
    write_triplets(tmp_path / "00000.tar", [triplet(0)])
    write_triplets(tmp_path / "00001.tar", [triplet(1)])
    older = index_path(tmp_path / "00000.tar")
    pq.write_table(pq.read_table(older).drop_columns("task"), older)
    assert [t.task for t in read_triplets(tmp_path)] == ["", "local"]
    assert [row["task"] for row in read_fields(tmp_path)] == ["", "local"]
    assert TripletStore().fits(tmp_path)


def test_a_task_that_is_none_of_the_sixteen_is_refused_by_the_record_and_in_an_index(tmp_path, triplet):
    with pytest.raises(BadInputError, match="unknown task 'fly': use local, remove, add"):
        triplet(0, task="fly")
    write_triplets(tmp_path / "00000.tar", [triplet(0), triplet(1)])
    path = index_path(tmp_path / "00000.tar")
    table = pq.read_table(path)
    place = table.column_names.index("task")
    pq.write_table(table.set_column(place, table.schema.field("task"), pa.array(["local", "fly"])), path)
    with pytest.raises(BadInputError, match="00000.parquet: row 2 has a task"):
        read_index(tmp_path)


def test_a_folder_is_all_its_shards_in_order(tmp_path, triplet, same):
    for shard in (1, 0):
        write_triplets(
            tmp_path / f"0000{shard}.tar", [triplet(10 * shard), triplet(10 * shard + 1)], [RejectedRow("x", "r")]
        )
    assert [p.name for p in shard_paths(tmp_path)] == ["00000.tar", "00001.tar"]
    assert [t.source for t in read_triplets(tmp_path)] == [f"caption {n}" for n in (0, 1, 10, 11)]
    assert count_triplets(tmp_path) == 4 and count_triplets(tmp_path / "00001.tar") == 2
    fields = list(read_fields(tmp_path))
    assert [row["shard"] for row in fields] == ["00000.tar"] * 2 + ["00001.tar"] * 2
    assert fields[2]["scores"] == {"clip_input": 0.25, "clip_direction": 0.5}
    assert same(read_triplet(tmp_path / fields[3]["shard"], fields[3]), triplet(11))


def test_a_second_triplet_of_one_id_is_rejected(tmp_path, triplet):
    result = write_triplets(tmp_path / "00000.tar", [triplet(0), triplet(1), triplet(0)])
    assert (result.num_in, result.num_out, result.rejected) == (3, 2, {"duplicate id": 1})
    assert [r.id for r in read_rejections(tmp_path)] == [triplet(0).id]


def test_rejections_gathered_while_triplets_stream_are_written(tmp_path, triplet):
    rejected: list[RejectedRow] = []

    def stream():
        yield triplet(0)
        rejected.append(RejectedRow("row 1", "too dark", "mean 3", {"caption": "night"}))

    result = write_triplets(tmp_path / "00000.tar", stream(), rejected)
    assert result.num_in == 2 and list(read_rejections(tmp_path)) == rejected
    again = reused_result(tmp_path / "00000.tar")
    assert (again.num_in, again.num_out, again.rejected, again.num_shards_reused) == (2, 1, {"too dark": 1}, 1)


def test_a_shard_rewritten_without_rejections_has_no_rejections_file(tmp_path, triplet):
    write_triplets(tmp_path / "00000.tar", [triplet(0)], [RejectedRow("x", "r")])
    write_triplets(tmp_path / "00000.tar", [triplet(0)])
    assert visible(tmp_path) == ["00000.parquet", "00000.tar"]


def test_an_empty_shard_is_a_shard(tmp_path):
    assert write_triplets(tmp_path / "00000.tar", []).num_out == 0
    assert list(read_triplets(tmp_path)) == [] and count_triplets(tmp_path) == 0


def test_a_shard_is_done_only_with_the_same_input_hash_and_a_whole_tar(tmp_path, triplet):
    tar = tmp_path / "00000.tar"
    key = input_hash("captions", {"seed": 1})
    assert not is_done(tar, key)
    write_triplets(tar, [triplet(0)], input_hash=key)
    assert is_done(tar, key) and not is_done(tar, input_hash("captions", {"seed": 2}))
    tar.write_bytes(tar.read_bytes()[:-512])
    assert not is_done(tar, key)
    index_path(tar).write_bytes(b"PAR1")
    assert not is_done(tar, key)


def test_nothing_is_left_when_the_triplets_raise(tmp_path, triplet):
    def stream():
        yield triplet(0)
        raise RuntimeError("the model is gone")

    with pytest.raises(RuntimeError, match="the model is gone"):
        write_triplets(tmp_path / "00000.tar", stream())
    assert visible(tmp_path) == []


def test_an_older_shard_stays_when_the_triplets_raise(tmp_path, triplet):
    write_triplets(tmp_path / "00000.tar", [triplet(0)], input_hash="old")
    with pytest.raises(ZeroDivisionError):
        write_triplets(tmp_path / "00000.tar", (triplet(1 // n) for n in (1, 0)), input_hash="new")
    assert is_done(tmp_path / "00000.tar", "old") and count_triplets(tmp_path) == 1


KILLED = """
import sys
from pathlib import Path
from PIL import Image
from editfoundry.data.record import Triplet
from editfoundry.data.shards import write_triplets

def stream():
    for n in range(10**9):
        picture = Image.new("RGB", (64, 64), (n % 256, n // 256 % 256, 0))
        yield Triplet(instruction=str(n), input_image=picture, output_image=picture)
        if n == 50:
            print("writing", flush=True)

write_triplets(Path(sys.argv[1]), stream())
"""


def test_a_killed_writer_leaves_no_shard_and_the_next_one_sweeps_its_remains(tmp_path, triplet):
    tar = tmp_path / "00000.tar"
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tar)], stdout=subprocess.PIPE, env=child_environment()
    )
    assert process.stdout is not None and process.stdout.readline() == b"writing\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert shard_paths(tmp_path) == [] and all(name.startswith(".") for name in visible(tmp_path))
    write_triplets(tar, [triplet(0)])
    assert visible(tmp_path) == ["00000.parquet", "00000.tar"]


def child_environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def test_memory_does_not_grow_with_the_images_of_a_shard(tmp_path):
    def stream(count):
        for n in range(count):
            noise = np.random.default_rng(n).integers(0, 256, (256, 256, 3), dtype=np.uint8)
            yield Triplet(instruction=str(n), input_image=Image.fromarray(noise), output_image=Image.fromarray(noise))

    def peak(count):
        tracemalloc.start()
        write_triplets(tmp_path / "00000.tar", stream(count))
        for _ in read_triplets(tmp_path):
            pass
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return top

    peak(2)
    assert peak(20) < peak(4) + 400_000  # 16 more records are 6 MB of noise


def test_a_tar_cut_in_half_is_one_line_with_file_and_row(tmp_path, triplet):
    tar = tmp_path / "00000.tar"
    write_triplets(tar, [triplet(n) for n in range(4)])
    tar.write_bytes(tar.read_bytes()[: tar.stat().st_size // 4])
    with pytest.raises(BadInputError, match=r"00000\.tar: row \d of its index .* is cut") as caught:
        next(read_triplets(tmp_path))
    assert "\n" not in str(caught.value)


def test_a_row_that_points_outside_the_tar_is_named(tmp_path, triplet):
    tar = tmp_path / "00000.tar"
    write_triplets(tar, [triplet(0), triplet(2)])
    change_index(tar, 1, output_offset=10**9)
    with pytest.raises(BadInputError, match=r"00000\.tar: row 2 of its index .* its output at bytes 1000000000"):
        list(read_triplets(tmp_path))


def test_a_member_that_is_not_where_the_index_says_is_named(tmp_path, triplet):
    tar = tmp_path / "00000.tar"
    write_triplets(tar, [triplet(0), triplet(2)])
    row = read_index(tar).to_pylist()[0]
    change_index(tar, 1, input_offset=row["input_offset"], input_length=row["input_length"])
    with pytest.raises(BadInputError, match=rf"row 2 .* member {triplet(2).id}\.input\.png is not where"):
        list(read_triplets(tmp_path))


def test_a_broken_image_in_a_tar_is_named(tmp_path, triplet):
    tar = tmp_path / "00000.tar"
    write_triplets(tar, [triplet(0)])
    row = read_index(tar).to_pylist()[0]
    data = bytearray(tar.read_bytes())
    middle = row["output_offset"] + 50
    data[middle : row["output_offset"] + row["output_length"]] = bytes(row["output_length"] - 50)
    tar.write_bytes(bytes(data))
    with pytest.raises(BadInputError, match=r"row 1 .* its output: not a whole PNG"):
        list(read_triplets(tmp_path))


def test_a_shard_without_index_or_tar_and_a_folder_without_shards_are_bad_input(tmp_path, triplet):
    with pytest.raises(BadInputError, match="no shard"):
        list(read_triplets(tmp_path))
    tar = tmp_path / "00000.tar"
    write_triplets(tar, [triplet(0)])
    content = tar.read_bytes()
    tar.unlink()
    with pytest.raises(BadInputError, match=r"00000\.tar: missing"):
        list(read_triplets(tar))
    tar.write_bytes(content)
    index_path(tar).unlink()
    with pytest.raises(BadInputError, match="no index 00000.parquet beside it"):
        list(read_triplets(tar))


def change_index(tar: Path, number: int, **values: int | None) -> None:
    table = pq.read_table(index_path(tar))
    rows = table.to_pylist()
    rows[number].update(values)
    pq.write_table(type(table).from_pylist(rows, schema=table.schema), index_path(tar))
