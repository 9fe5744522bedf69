import pyarrow as pa
import pyarrow.parquet as pq

from editfoundry.sources.row_ranges import RowRange, num_table_rows, row_ranges
from editfoundry.sources.table_reader import TableRow


class Table:
    """Seven rows; counts how many were read."""

    def __init__(self):
        self.num_read = 0

    def __call__(self):
        for number in range(1, 8):
            self.num_read += 1
            yield TableRow(table="t", number=number)


def test_ranges_hold_all_rows_in_order_and_the_table_is_read_once():
    table = Table()
    parts = [[row.number for row in part] for part in row_ranges(table, 3)]
    assert parts == [[1, 2, 3], [4, 5, 6], [7]] and table.num_read == 7


def test_a_range_that_was_only_counted_can_be_read_again():
    table = Table()
    found = [(part.count(), [row.number for row in part]) for part in row_ranges(table, 4)]
    assert found == [(4, [1, 2, 3, 4]), (3, [5, 6, 7])]


def test_ranges_that_nobody_reads_are_passed_over():
    assert [part.count() for part in list(row_ranges(Table(), 3))] == [3, 3, 1]


def test_a_whole_table_is_a_range_too():
    assert RowRange(Table()).count() == 7


def test_the_number_of_rows_is_known_of_whole_parquet_files_alone(tmp_path):
    pq.write_table(pa.table({"TEXT": ["a", "b", "c"]}), tmp_path / "a.parquet")
    (tmp_path / "b.csv").write_text("TEXT\na\n")
    (tmp_path / "c.parquet").write_bytes(b"cut")
    assert num_table_rows([tmp_path / "a.parquet"] * 2) == 6
    assert num_table_rows([tmp_path / "a.parquet"], 2) == 2
    assert num_table_rows([tmp_path / "b.csv"]) is num_table_rows([tmp_path / "c.parquet"]) is None
