import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from benchmark_folders import noted, pixels, save
from tiny_models import tiny_image

from editfoundry.errors import BadInputError
from editfoundry.evaluation.benchmarks.item import count_repeated
from editfoundry.evaluation.benchmarks.reading import read_benchmark


def emu_row(number, split="test", size=(16, 16), **changes):
    buffer = io.BytesIO()
    tiny_image(number, size).save(buffer, "PNG")
    return {
        "instruction": f"Edit {number}.",
        "image": {"bytes": buffer.getvalue(), "path": f"{number}.png"},
        "task": "add" if number % 2 else "local",
        "split": split,
        "idx": number,
        "hash": f"h{number}",
        "input_caption": "a cup",
        "output_caption": "a blue cup",
        **changes,
    }


def write_emu(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=2)


def test_emu_edit_goes_by_the_rows_own_split_and_counts_repeated_files_once(tmp_path):
    broken = {"bytes": b"\x89PNG no picture", "path": "x.png"}
    write_emu(tmp_path / "data" / "test-00000-of-00001-64ed.parquet", [emu_row(n) for n in range(5)])
    write_emu(tmp_path / "data" / "test-00000-of-00001-628e.parquet", [emu_row(n) for n in range(5)])
    trap = [emu_row(5), emu_row(6, "validation"), emu_row(7, image=broken), emu_row(8, output_caption="a cup")]
    write_emu(tmp_path / "data" / "validation-00000-of-00001.parquet", trap)
    benchmark = read_benchmark("emu-edit", tmp_path)
    assert [item.id for item in benchmark.items] == ["0", "1", "2", "3", "4", "5", "8"]
    assert [item.category for item in benchmark.items[:2]] == ["local", "add"]
    assert [item.task for item in benchmark.items[:2]] == ["local", "add"]
    assert pixels(benchmark.items[3].open_input()) == pixels(tiny_image(3, (16, 16)))
    assert len(benchmark.extra) == 5 and noted(benchmark) == {("7", "input")}
    facts = benchmark.facts
    assert (facts["rows_by_split"], facts["expected"]) == ({"test": 13, "validation": 1}, 3589)
    assert facts["num_files_name_another_split"] == 3 and facts["num_identical_captions"] == 1
    assert [item.id for item in read_benchmark("emu-edit-validation", tmp_path).items] == ["6"]


def test_emu_edit_s_names_in_other_scripts_and_gaps_are_items_of_their_own(tmp_path):
    gap = float("nan")
    names = [("甲", "h0"), ("乙", "h1"), (None, "h2"), (None, "h3")]
    rows = [emu_row(n, idx=idx, hash=hashed) for n, (idx, hashed) in enumerate(names)]
    write_emu(tmp_path / "named" / "test.parquet", rows)
    assert len({item.id for item in read_benchmark("emu-edit", tmp_path / "named").items}) == 4
    write_emu(tmp_path / "gaps" / "test.parquet", [emu_row(n, idx=gap) for n in range(3)])
    assert [item.id for item in read_benchmark("emu-edit", tmp_path / "gaps").items] == ["h0", "h1", "h2"]


def test_emu_edit_s_row_with_the_idx_of_another_is_told_apart_from_one_that_is_repeated(tmp_path):
    rows = [emu_row(0), emu_row(0), emu_row(1, idx=0), emu_row(2), emu_row(2, hash=None, instruction="Else.")]
    write_emu(tmp_path / "test.parquet", rows)
    save(tmp_path / "stray.png")
    benchmark = read_benchmark("emu-edit", tmp_path)
    assert [item.instruction for item in benchmark.items] == ["Edit 0.", "Edit 2."]
    assert [(entry.id, entry.what) for entry in benchmark.missing] == [("0", "entry"), ("2", "entry")]
    assert all("idx is that of another row" in entry.reason for entry in benchmark.missing)
    assert benchmark.extra == ("0: listed again", "stray.png") and count_repeated(benchmark.extra) == 1


def test_emu_edit_s_tasks_are_taken_however_they_are_written(tmp_path):
    write_emu(tmp_path / "test.parquet", [emu_row(n, task=task) for n, task in enumerate(("Add", "pose ", "Fly"))])
    items = read_benchmark("emu-edit", tmp_path).items
    assert [(item.task, item.category) for item in items] == [("add", "add"), ("pose", "pose"), (None, "Fly")]


def test_emu_edit_s_file_with_text_that_is_not_utf_8_or_that_is_damaged_later_is_one_line(tmp_path):
    path = tmp_path / "test.parquet"
    write_emu(path, [emu_row(n, instruction=f"Edit it {n}!") for n in range(2)])
    item = read_benchmark("emu-edit", tmp_path).items[0]
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"Edit it", b"Edit \xff\xfe"))
    with pytest.raises(BadInputError, match=r"test\.parquet: not a whole Parquet file \(.*; get it again$"):
        read_benchmark("emu-edit", tmp_path)
    path.write_bytes(whole[:400])
    with pytest.raises(BadInputError, match=r"test\.parquet: not a whole Parquet file"):
        item.open_input()


def test_emu_edit_s_pictures_are_not_all_in_memory_where_a_file_has_one_row_group(tmp_path):
    path = tmp_path / "test.parquet"
    rows = [emu_row(n, size=(96, 96)) for n in range(400)]
    pq.write_table(pa.Table.from_pylist(rows), path, write_batch_size=8, data_page_size=2**15)
    items = read_benchmark("emu-edit", tmp_path).items
    before, held = pa.total_allocated_bytes(), []
    for number in [*range(400), 5, 399, 40, 39]:
        opened = items[number].open_input()
        assert opened.tobytes() == tiny_image(number, (96, 96)).convert("RGB").tobytes()
        held.append(pa.total_allocated_bytes() - before)
    assert max(held) < path.stat().st_size / 2
    path.write_bytes(b"")
    with pytest.raises(BadInputError, match=r"test\.parquet: not a whole Parquet file"):
        items[0].open_input()


def test_emu_edit_without_splits_says_so(tmp_path):
    write_emu(tmp_path / "rows.parquet", [emu_row(0, split=None)])
    with pytest.raises(BadInputError, match="no row of the split 'test'; it has rows that name no split$"):
        read_benchmark("emu-edit", tmp_path)
