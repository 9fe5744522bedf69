from __future__ import annotations

import pyarrow.parquet as pq
import pytest

from editfoundry.data.hashing import input_hash
from editfoundry.data.record import Caption, Quadruple
from editfoundry.data.rejections import RejectedRow, read_rejections, rejections_path, write_rejections
from editfoundry.data.tables import count_rows, read_rows, table_is_done, write_rows
from editfoundry.errors import BadInputError

CAPTIONS = [Caption(caption="a red cat", url="http://x/1.jpg", width=3, punsafe=0.5), Caption(caption="")]
QUADRUPLE = Quadruple(
    input_caption="an egg", instruction="fry it", output_caption="a fried egg", keywords=("egg",), category="Long-Term"
)


def test_rows_come_back_as_they_were_written(tmp_path):
    assert write_rows(tmp_path / "00000.parquet", iter(CAPTIONS), Caption) == 2
    write_rows(tmp_path / "q" / "00000.parquet", [QUADRUPLE], Quadruple)
    assert list(read_rows(tmp_path / "00000.parquet", Caption)) == CAPTIONS
    assert list(read_rows(tmp_path / "q", Quadruple)) == [QUADRUPLE]
    assert pq.read_table(tmp_path / "q" / "00000.parquet")["id"].to_pylist() == [QUADRUPLE.id]


def test_equal_rows_give_equal_bytes(tmp_path):
    for name in ("a", "b"):
        write_rows(tmp_path / name, CAPTIONS, Caption, "hash")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_folder_is_all_its_tables_in_order_without_the_rejections(tmp_path):
    write_rows(tmp_path / "00001.parquet", CAPTIONS[1:], Caption)
    write_rows(tmp_path / "00000.parquet", CAPTIONS[:1], Caption)
    write_rejections(tmp_path / "00000.parquet", [RejectedRow("1", "unsafe", "0.9", {"caption": "x"})])
    assert list(read_rows(tmp_path, Caption)) == CAPTIONS and count_rows(tmp_path) == 2
    assert [r.row for r in read_rejections(tmp_path)] == [{"caption": "x"}]


def test_a_table_is_done_only_with_the_same_input_hash(tmp_path):
    path = tmp_path / "00000.parquet"
    assert not table_is_done(path, "a")
    write_rows(path, CAPTIONS, Caption, "a")
    assert table_is_done(path, "a") and not table_is_done(path, "b")


def test_nothing_is_left_when_the_rows_raise(tmp_path):
    with pytest.raises(ZeroDivisionError):
        write_rows(tmp_path / "00000.parquet", (CAPTIONS[1 // n] for n in (1, 0)), Caption)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_cut_or_foreign_table_is_bad_input(tmp_path):
    with pytest.raises(BadInputError, match="no Parquet table here"):
        list(read_rows(tmp_path, Caption))
    path = tmp_path / "00000.parquet"
    write_rows(path, CAPTIONS, Caption)
    with pytest.raises(BadInputError, match=r"00000\.parquet: no column 'input_caption'"):
        list(read_rows(path, Quadruple))
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(BadInputError, match=r"00000\.parquet: missing or not a whole Parquet file"):
        list(read_rows(path, Caption))


def test_rejections_are_counted_by_reason_and_absent_where_there_are_none(tmp_path):
    path = tmp_path / "00007.tar"
    rows = [RejectedRow("a", "unsafe"), RejectedRow("b", "no caption"), RejectedRow("c", "unsafe")]
    assert write_rejections(path, rows) == {"no caption": 1, "unsafe": 2}
    assert rejections_path(path).name == "00007.rejected.parquet" and list(read_rejections(path)) == rows
    assert write_rejections(path, []) == {} and list(read_rejections(tmp_path)) == []


def test_an_input_hash_depends_on_every_part_and_on_a_files_bytes(tmp_path):
    file = tmp_path / "captions.csv"
    file.write_text("one")
    first = input_hash(file, QUADRUPLE, {"b": 1, "a": 2.5})
    assert first == input_hash(file, QUADRUPLE, {"a": 2.5, "b": 1}) and len(first) == 64
    file.write_text("two")
    assert first != input_hash(file, QUADRUPLE, {"a": 2.5, "b": 1})
    assert input_hash("ab", "c") != input_hash("a", "bc")
