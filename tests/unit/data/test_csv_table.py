from __future__ import annotations

import csv
import io
import time
from pathlib import Path

import pytest

from editfoundry.data.csv_table import MAX_RECORD_LINES, UNCLOSED_QUOTE, csv_table
from editfoundry.errors import BadInputError

TABLE = Path("table.csv")


def rows(text: str) -> list[list[str] | str]:
    return list(csv_table(io.StringIO(text, newline=""), TABLE)[1])


def test_fields_with_line_breaks_commas_and_quotes_are_read_as_they_were_written():
    written = [
        ["1", "one, two\nthree, four\n5,6", "x"],
        ["2", 'a 6" pipe\r\n"quoted", and more', ""],
        ["3", "\n" * (MAX_RECORD_LINES - 2), "z"],
        ["4", ",,\n1,2,3\n1,2,3\n", ",,"],
    ]
    file = io.StringIO(newline="")
    csv.writer(file).writerows([["id", "text", "more"], *written])
    header, records = csv_table(io.StringIO(file.getvalue(), newline=""), TABLE)
    assert (header, list(records)) == (["id", "text", "more"], written)


@pytest.mark.parametrize(
    "after",
    [
        "3,c,z\n4,d,w",
        '3,c,"z"\n4,d,w\n',
        '"3","c","z"\n"4","d","w"\n',
        '3,c,""\n4,d,w\n',
        "3,c,z\n\n4,d,w\n",
        "3,c,z\n4,d,w\n" + "5,e,v\n" * 2 * MAX_RECORD_LINES,
        "3,c,z\n4,d,w\n" + f"5,e,{'v' * 1000}\n" * MAX_RECORD_LINES,
    ],
    ids=["to the end", "to a later quote", "all quoted", "empty quoted", "blank line", "many lines", "much text"],
)
def test_a_quote_that_is_not_closed_costs_its_own_row_alone(after):
    read = rows('a,b,c\n1,x,y\n2,"y,z\n' + after)
    assert read[1] == UNCLOSED_QUOTE
    assert [row[0] for row in read[:1] + read[2:4]] == ["1", "3", "4"]
    assert all(isinstance(row, list) for row in read[2:]) and len(read) == 4 + after.count("5,e")


@pytest.mark.parametrize(
    ("header", "delimiter", "said"),
    [
        ("a;b", ",", "separated by semicolons; save it again with commas"),
        ("a\tb", ",", "separated by tabs; save it again with commas"),
        ("a,b", "\t", "separated by commas; save it again with tabs"),
        ("a\0,b", ",", "is not UTF-8 text"),
    ],
)
def test_a_table_with_another_delimiter_or_encoding_is_told_as_one(header, delimiter, said):
    with pytest.raises(BadInputError, match=f"table.csv: .*{said}"):
        csv_table(io.StringIO(f"{header}\n1{delimiter}2\n"), TABLE, delimiter)


def test_after_an_open_quote_a_field_with_line_breaks_is_still_whole():
    assert rows('a,b\n1,"open\n2,"two\nlines"\n3,"open\n4,x\n') == [
        UNCLOSED_QUOTE,
        ["2", "two\nlines"],
        UNCLOSED_QUOTE,
        ["4", "x"],
    ]


def test_a_last_row_whose_quote_is_open_is_no_row():
    assert rows('a,b\n1,x\n2,"cut of') == [["1", "x"], UNCLOSED_QUOTE]


def test_a_header_whose_quote_is_open_is_refused():
    for text in ('a,"b\n1,x\n', 'a,"b\n1,"x"\n'):
        with pytest.raises(BadInputError, match=r"table.csv: the header cannot be read .*not closed"):
            rows(text)


def test_many_rows_with_open_quotes_are_read_in_bounded_time():
    started = time.process_time()
    assert rows("a,b\n" + 'a","z\n' * 20_000).count(UNCLOSED_QUOTE) == 20_000
    assert time.process_time() - started < 10
