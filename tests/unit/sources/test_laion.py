from __future__ import annotations

import gzip
import json
import random
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from editfoundry.data.hashing import input_hash
from editfoundry.data.record import Caption
from editfoundry.data.rejections import read_rejections
from editfoundry.data.tables import read_rows
from editfoundry.errors import BadInputError
from editfoundry.sources.columns import resolve_columns
from editfoundry.sources.laion import convert_laion
from editfoundry.sources.laion_filters import LaionFilters

AESTHETICS_V2 = {
    "URL": "https://example.org/1.jpg",
    "TEXT": "A red fox in the snow",
    "WIDTH": 1024.0,
    "HEIGHT": 768.0,
    "similarity": 0.31,
    "punsafe": 0.01,
    "pwatermark": 0.02,
    "AESTHETIC_SCORE": 6.7,
    "hash": -123456789,
}
LAION_400M = {
    "SAMPLE_ID": 1,
    "URL": "https://example.org/1.jpg",
    "TEXT": "A red fox in the snow",
    "HEIGHT": 768,
    "WIDTH": 1024,
    "LICENSE": "?",
    "NSFW": "UNLIKELY",
    "similarity": 0.31,
}
AESTHETICS_V1 = {("aesthetic" if k == "AESTHETIC_SCORE" else k): v for k, v in AESTHETICS_V2.items()}
RELAION = {
    "key": "000",
    "url": "https://example.org/1.jpg",
    "caption": "A red fox in the snow",
    "similarity": 0.31,
    "punsafe": 0.01,
    "pwatermark": 0.02,
    "width": 256,
    "height": 192,
    "original_width": 1024,
    "original_height": 768,
}
LAION_COCO = {
    "URL": "https://example.org/1.jpg",
    "TEXT": "IMG_0001 buy now",
    "top_caption": "A red fox in the snow",
    "all_captions": ["A red fox in the snow", "a fox"],
    "all_similarities": [0.3, 0.2],
    "WIDTH": 1024,
    "HEIGHT": 768,
    "similarity": 0.31,
    "hash": 1,
    "pwatermark": 0.02,
    "punsafe": 0.01,
}
COYO = {
    "id": 1,
    "url": "https://example.org/1.jpg",
    "text": "A red fox in the snow",
    "width": 1024,
    "height": 768,
    "clip_similarity_vitb32": 0.31,
    "nsfw_score_opennsfw2": 0.01,
    "watermark_score": 0.02,
    "aesthetic_score_laion_v2": 6.7,
}
TRANSLATED = {
    "URL": "https://example.org/1.jpg",
    "TEXT": "Ein roter Fuchs",
    "ENG TEXT": "A red fox in the snow",
    "punsafe": 0.01,
}
ANY_SAFETY = LaionFilters(keep_unknown=("punsafe", "pwatermark"))
RELEASES = {
    "laion-400m": LAION_400M,
    "aesthetics-v1": AESTHETICS_V1,
    "aesthetics-v2": AESTHETICS_V2,
    "relaion": RELAION,
    "laion-coco": LAION_COCO,
    "coyo": COYO,
    "translated": TRANSLATED,
}
WRITERS = ["parquet", "csv", "tsv", "jsonl", "csv.gz", "tsv.gz", "jsonl.gz"]


def row(caption: Any = "a fox", number: int = 1, **values: Any) -> dict[str, Any]:
    return {**AESTHETICS_V2, "TEXT": caption, "URL": f"https://example.org/{number}.jpg", **values}


def good_rows(num_rows: int) -> list[dict[str, Any]]:
    return [row(f"fox number {n} runs", n) for n in range(num_rows)]


def write_table(folder: Path, rows: list[dict[str, Any]], suffix: str = "parquet") -> Path:
    path = folder / f"table.{suffix}"
    frame = pd.DataFrame(rows)
    kind = suffix.removesuffix(".gz")
    if kind == "parquet":
        frame.to_parquet(path)
    elif kind == "jsonl":
        frame.to_json(path, orient="records", lines=True)
    else:
        frame.to_csv(path, index=False, sep="\t" if kind == "tsv" else ",")
    return path


def captions(output: Path) -> list[str]:
    return [caption.caption for caption in read_rows(output, Caption)]


def reasons(output: Path) -> list[tuple[int, str]]:
    return [(rejected.row["row_number"], rejected.reason) for rejected in read_rejections(output)]


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("suffix", WRITERS)
def test_every_released_spelling_is_read_from_every_format(release: str, suffix: str, tmp_path: Path) -> None:
    values = RELEASES[release]
    result = convert_laion(write_table(tmp_path, [values], suffix), tmp_path / "out")
    (caption,) = read_rows(tmp_path / "out", Caption)
    assert (result.num_in, result.num_out, result.rejected) == (1, 1, {})
    assert (caption.caption, caption.url) == ("A red fox in the snow", "https://example.org/1.jpg")
    found = resolve_columns(tuple(values))
    for role, expected in {
        "width": 1024,
        "height": 768,
        "similarity": 0.31,
        "punsafe": 0.01,
        "pwatermark": 0.02,
        "aesthetic_score": 6.7,
    }.items():
        assert getattr(caption, role) == (pytest.approx(expected) if role in found else None)


def test_each_drop_has_its_reason_and_its_row_number(tmp_path: Path) -> None:
    rows = [
        row("A red fox", 1),
        row("  a RED\n fox ", 2),
        row("another fox", 1),
        row("a naked fox", 3, punsafe=0.9),
        row("a stock fox", 4, pwatermark=0.8),
        row("a strange fox", 5, similarity=0.1),
        row("an ugly fox", 6, AESTHETIC_SCORE=4.0),
        row("   ", 7),
        row("fox " * 100, 8),
        row("12345 - 678.", 9),
        row("fox\x00bin", 10),
        row(None, 11),
        row("A red fox at last", 12),
    ]
    filters = LaionFilters(min_similarity=0.2, min_aesthetic_score=6.0)
    result = convert_laion(write_table(tmp_path, rows), tmp_path / "out", filters)
    assert reasons(tmp_path / "out") == [
        (2, "duplicate caption"),
        (3, "duplicate url"),
        (4, "unsafe"),
        (5, "watermarked"),
        (6, "low similarity"),
        (7, "low aesthetic score"),
        (8, "empty caption"),
        (9, "caption too long"),
        (10, "caption is not text"),
        (11, "caption is not text"),
        (12, "empty caption"),
    ]
    assert captions(tmp_path / "out") == ["A red fox", "A red fox at last"]
    assert (result.num_in, result.num_out, result.rejected["empty caption"]) == (13, 2, 2)
    second = next(iter(read_rejections(tmp_path / "out")))
    assert second.id == "table.parquet:2"
    assert second.row["url"] == "https://example.org/2.jpg"


@pytest.mark.parametrize(
    ("tag", "reason"),
    [("UNLIKELY", None), ("UNSURE", "unsafe"), ("NSFW", "unsafe"), ("nsfw", "unsafe"), (None, "safety unknown")]
    + [("PERHAPS", "safety unknown"), ("", "safety unknown")],
)
def test_the_tags_of_laion_400m_tell_unsafe_rows(tag: str | None, reason: str | None, tmp_path: Path) -> None:
    table = write_table(tmp_path, [{**LAION_400M, "NSFW": tag}, {**LAION_400M, "TEXT": "a hare", "URL": "u"}], "jsonl")
    rejected = convert_laion(table, tmp_path / "out").rejected
    assert rejected == ({} if reason is None else {reason: 1})


@pytest.mark.parametrize(
    ("flag", "reason"),
    [(True, "unsafe"), (False, None), (0.93, "unsafe"), (0.1, None), ("1", "unsafe")]
    + [(-1.0, "safety unknown"), (37.0, "safety unknown"), (float("nan"), "safety unknown")],
)
def test_an_nsfw_column_of_flags_or_scores_tells_unsafe_rows_too(flag: Any, reason: str | None, tmp_path: Path) -> None:
    table = write_table(tmp_path, [{**LAION_400M, "NSFW": flag}])
    if reason is None:
        assert convert_laion(table, tmp_path / "out").num_out == 1
        return
    with pytest.raises(BadInputError, match=f"none of its 1 records was kept .{reason} 1"):
        convert_laion(table, tmp_path / "out")


def test_a_dropped_row_does_not_make_later_ones_duplicates(tmp_path: Path) -> None:
    rows = [row("a fox", 1, punsafe=0.9), row("a fox", 2), row("a hare", 1)]
    convert_laion(write_table(tmp_path, rows), tmp_path / "out")
    assert captions(tmp_path / "out") == ["a fox", "a hare"]


def test_rows_without_a_url_are_no_duplicates_of_each_other(tmp_path: Path) -> None:
    rows = [row("a fox", URL=None), row("a hare", URL=None), row("an owl", URL="")]
    assert convert_laion(write_table(tmp_path, rows), tmp_path / "out").num_out == 3


@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), -float("inf"), -1.0, 2.0])
def test_what_is_not_known_to_be_safe_is_dropped_unless_it_is_asked_for(value: float | None, tmp_path: Path) -> None:
    table = write_table(tmp_path, [row("a fox", punsafe=value), row("a hare", 2)])
    assert convert_laion(table, tmp_path / "out").rejected == {"safety unknown": 1}
    assert captions(tmp_path / "out") == ["a hare"]
    assert convert_laion(table, tmp_path / "all", ANY_SAFETY).num_out == 2
    assert convert_laion(table, tmp_path / "off", LaionFilters(max_punsafe=None)).num_out == 2


def test_an_unknown_score_is_dropped_for_a_reason_of_its_own_by_each_filter_that_needs_it(tmp_path: Path) -> None:
    rows = [
        row("a hare", 1),
        row("a fox", 2, similarity=None),
        row("an owl", 3, AESTHETIC_SCORE=None),
        row("a mole", 4, pwatermark=-1.0),
    ]
    table = write_table(tmp_path, rows)
    assert convert_laion(table, tmp_path / "all").num_out == 4
    strict = LaionFilters(min_similarity=0.2, min_aesthetic_score=6.0, keep_unknown=())
    assert convert_laion(table, tmp_path / "strict", strict).rejected == {
        "aesthetic score unknown": 1,
        "similarity unknown": 1,
        "watermark unknown": 1,
    }


def test_a_filter_on_a_score_that_the_table_lacks_is_refused(tmp_path: Path) -> None:
    table = write_table(tmp_path, [LAION_400M])
    with pytest.raises(BadInputError, match="no aesthetic_score column.*SAMPLE_ID.*captions.filters.keep_unknown"):
        convert_laion(table, tmp_path / "out", LaionFilters(min_aesthetic_score=6.5))
    with pytest.raises(BadInputError, match="no punsafe column"):
        convert_laion(write_table(tmp_path, [{"TEXT": "a fox", "URL": "u"}]), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("column", "role"),
    [("nsfw_likelihood", "punsafe"), ("is_safe", "punsafe"), ("Has-Watermark", "pwatermark")],
)
def test_a_score_under_an_unknown_name_is_pointed_out(column: str, role: str, tmp_path: Path) -> None:
    values = {name: value for name, value in row().items() if name != role}
    table = write_table(tmp_path, [{**values, column: 0.9}])
    with pytest.raises(BadInputError, match=f"column '{column}' looks like {role}"):
        convert_laion(table, tmp_path / "out")


@pytest.mark.parametrize("column", ["nsfw_probability", "p_unsafe", "NSFW Score"])
def test_other_spellings_of_the_safety_score_drop_unsafe_rows(column: str, tmp_path: Path) -> None:
    rows = [{"TEXT": "a fox", column: 0.9}, {"TEXT": "a hare", column: 0.1}]
    assert convert_laion(write_table(tmp_path, rows), tmp_path / "out").rejected == {"unsafe": 1}


def test_filters_that_let_everything_pass_by_comparing_with_nan_are_refused() -> None:
    for name in ("max_punsafe", "max_pwatermark", "min_similarity", "min_aesthetic_score"):
        with pytest.raises(BadInputError, match=f"{name} is nan"):
            LaionFilters(**{name: float("nan")})
    with pytest.raises(BadInputError, match="keep_unknown has 'unsafe'"):
        LaionFilters(keep_unknown=("unsafe",))


def test_an_option_that_is_left_at_its_default_leaves_digests_as_they_were() -> None:
    assert input_hash(LaionFilters()) == input_hash(LaionFilters(keep_unknown=("pwatermark",)))
    assert input_hash(LaionFilters()) != input_hash(ANY_SAFETY)
    old = {name: value for name, value in asdict(LaionFilters()).items() if name != "keep_unknown"}
    assert input_hash(LaionFilters()) == input_hash({"LaionFilters": old})


@pytest.mark.parametrize("seed", range(6))
def test_counts_in_equal_counts_out_plus_rejected_for_any_table(seed: int, tmp_path: Path) -> None:
    random_ = random.Random(seed)
    values = [None, "", "a fox", "A  fox", "ein Fuchs", "1", "\x00", "x" * 400, "naïve 🦊 fox", "'\"\t,"]
    rows = [
        row(random_.choice(values), random_.randrange(9), punsafe=random_.choice([None, 0.1, 0.9]))
        for _ in range(random_.randrange(1, 90))
    ]
    table = write_table(tmp_path, rows, ["jsonl", "parquet"][seed % 2])
    result = convert_laion(table, tmp_path / "out", rows_per_shard=random_.randrange(1, 30))
    assert result.num_in == len(rows)
    assert result.num_out == len(captions(tmp_path / "out"))
    assert len(rows) == result.num_out + len(reasons(tmp_path / "out"))
    rejected_numbers = [number for number, _ in reasons(tmp_path / "out")]
    assert len(set(rejected_numbers)) == len(rejected_numbers)


def test_a_folder_of_parquet_parts_is_one_table(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    for number in (1, 0):
        frame = pd.DataFrame([row("a fox", 1), row(f"hare number {number} hops", 2 + number)])
        frame.to_parquet(tmp_path / "parts" / f"part-{number:05d}-c000.snappy.parquet")
    (tmp_path / "parts" / "_SUCCESS").touch()
    convert_laion(tmp_path / "parts", tmp_path / "out", rows_per_shard=3)
    assert captions(tmp_path / "out") == ["a fox", "hare number 0 hops", "hare number 1 hops"]
    (rejected,) = read_rejections(tmp_path / "out")
    assert (rejected.row["table"], rejected.row["row_number"]) == ("part-00001-c000.snappy.parquet", 1)


def test_captions_with_quotes_commas_and_newlines_survive_csv(tmp_path: Path) -> None:
    texts = ['a 6" pipe, red', "two\nlines of fox", 'he said "fox"', "fuchs äöü 🦊", "a\ttab"]
    rows = [row(text, n) for n, text in enumerate(texts)]
    for suffix in ("csv", "tsv", "jsonl", "parquet"):
        convert_laion(write_table(tmp_path, rows, suffix), tmp_path / f"out-{suffix}")
        assert captions(tmp_path / f"out-{suffix}") == [" ".join(text.split()) for text in texts]


@pytest.mark.parametrize("suffix", ["csv", "csv.gz"])
def test_a_row_whose_quote_is_not_closed_is_rejected_alone(suffix: str, tmp_path: Path) -> None:
    data = b'URL,TEXT\nu1,a fox\nu2,"a hare\nu3,an owl\nu4,"a mole,\nor two"\nu5,a 6" pipe\n'
    table = tmp_path / f"table.{suffix}"
    table.write_bytes(gzip.compress(data) if suffix.endswith("gz") else data)
    result = convert_laion(table, tmp_path / "out", ANY_SAFETY)
    assert captions(tmp_path / "out") == ["a fox", "an owl", "a mole, or two", 'a 6" pipe']
    assert result.num_in == 5 and reasons(tmp_path / "out") == [(2, "unreadable row")]
    assert "quote" in next(iter(read_rejections(tmp_path / "out"))).detail


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl"])
def test_a_table_in_utf_16_is_told_to_be_no_utf_8(suffix: str, tmp_path: Path) -> None:
    table = tmp_path / f"table.{suffix}"
    table.write_bytes((json.dumps(row()) if suffix == "jsonl" else "TEXT,URL\na fox,u1\n").encode("utf-16"))
    with pytest.raises(BadInputError, match=f"table.{suffix}: is not UTF-8 text"):
        convert_laion(table, tmp_path / "out", ANY_SAFETY)


def test_text_with_a_byte_order_mark_and_windows_line_ends_is_read(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_bytes("\ufeffTEXT,URL\r\na fox,u1\r\n\r\na hare,u2\r\n".encode())
    convert_laion(table, tmp_path / "out", ANY_SAFETY)
    assert captions(tmp_path / "out") == ["a fox", "a hare"]


@pytest.mark.parametrize("suffix", ["jsonl", "jsonl.gz"])
def test_a_broken_json_line_is_a_recorded_rejection(suffix: str, tmp_path: Path) -> None:
    lines = [json.dumps(row("a fox", 1)), '{"TEXT": "cut', "[1, 2]", "[" * 5000, "", json.dumps(row("a hare", 2))]
    data = ("\n".join(lines) + "\n").encode()
    table = tmp_path / f"table.{suffix}"
    table.write_bytes(gzip.compress(data) if suffix.endswith("gz") else data)
    result = convert_laion(table, tmp_path / "out")
    assert captions(tmp_path / "out") == ["a fox", "a hare"]
    assert reasons(tmp_path / "out") == [(2, "unreadable row"), (3, "unreadable row"), (4, "unreadable row")]
    assert (result.num_in, result.rejected) == (5, {"unreadable row": 3})


def test_a_score_that_appears_first_late_in_a_jsonl_table_still_counts(tmp_path: Path) -> None:
    table = tmp_path / "table.jsonl"
    rows = [{"TEXT": f"fox number {n} runs"} for n in range(1500)] + [{"TEXT": "a naked fox", "punsafe": 0.99}]
    table.write_text("\n".join(json.dumps(values) for values in rows))
    assert convert_laion(table, tmp_path / "out", ANY_SAFETY).rejected == {"unsafe": 1}


def test_broken_csv_rows_and_scores_are_recorded_rejections(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text(
        f"TEXT,punsafe\na fox,0.1\ntoo,many,fields\na hare\nan owl,high\n{'x' * 200_000},0.1\na mole,nan\n"
    )
    convert_laion(table, tmp_path / "out")
    assert captions(tmp_path / "out") == ["a fox"]
    unreadable = [(number, "unreadable row") for number in (2, 3, 4, 5)]
    assert reasons(tmp_path / "out") == [*unreadable, (6, "safety unknown")]


def test_bytes_that_are_not_utf8_spoil_one_row_only(tmp_path: Path) -> None:
    texts = [b"a fox", b"caf\xe9 fox", b"a hare"]
    (tmp_path / "table.csv").write_bytes(
        b"TEXT,URL\n" + b"\n".join(text + b",u\xff%d" % n for n, text in enumerate(texts))
    )
    column = pa.array(texts, pa.binary()).cast(pa.string(), safe=False)
    pq.write_table(pa.table({"TEXT": column}), tmp_path / "table.parquet")
    for table in ("table.csv", "table.parquet"):
        convert_laion(tmp_path / table, tmp_path / f"{table}.out", ANY_SAFETY)
        assert captions(tmp_path / f"{table}.out") == ["a fox", "a hare"]
        assert reasons(tmp_path / f"{table}.out") == [(2, "caption is not text")]


def test_captions_that_are_numbers_or_lists_are_recorded_rejections(tmp_path: Path) -> None:
    table = tmp_path / "table.jsonl"
    table.write_text("\n".join(json.dumps({"TEXT": value}) for value in (12, ["fox"], {"a": 1}, "\ud800 fox", "a fox")))
    assert convert_laion(table, tmp_path / "out", ANY_SAFETY).rejected == {"caption is not text": 4}


def test_dictionary_encoded_and_large_strings_are_read(tmp_path: Path) -> None:
    table = pa.table(
        {
            "TEXT": pa.array(["a fox", "a hare"], pa.large_string()),
            "URL": pa.array(["u1", "u2"]).dictionary_encode(),
        }
    )
    pq.write_table(table, tmp_path / "table.parquet")
    convert_laion(tmp_path / "table.parquet", tmp_path / "out", ANY_SAFETY)
    assert [(c.caption, c.url) for c in read_rows(tmp_path / "out", Caption)] == [("a fox", "u1"), ("a hare", "u2")]


def test_a_second_run_reuses_every_shard_and_changes_no_byte(tmp_path: Path) -> None:
    rows = [*good_rows(25), row("FOX number 3 runs", 99)]
    table, output = write_table(tmp_path, rows), tmp_path / "out"
    first = convert_laion(table, output, rows_per_shard=10)
    before = {path.name: path.read_bytes() for path in output.iterdir()}
    second = convert_laion(table, output, rows_per_shard=10)
    assert (first.num_shards, first.num_shards_reused) == (3, 0)
    assert (second.num_shards, second.num_shards_reused) == (3, 3)
    assert (second.num_in, second.num_out, second.rejected) == (first.num_in, first.num_out, first.rejected)
    assert {path.name: path.read_bytes() for path in output.iterdir()} == before


@pytest.mark.parametrize("lost", ["00000.parquet", "00002.parquet", "00002.rejected.parquet"])
def test_what_was_lost_is_redone_to_the_same_bytes_with_duplicates_still_known(lost: str, tmp_path: Path) -> None:
    rows = [*good_rows(20), row("Fox number 3 runs", 98), row("fox number 21 runs", 7), row("an owl", 99)]
    table, output = write_table(tmp_path, rows), tmp_path / "out"
    convert_laion(table, output, rows_per_shard=10)
    before = {path.name: path.read_bytes() for path in output.iterdir()}
    (output / lost).unlink()
    result = convert_laion(table, output, rows_per_shard=10)
    assert result.num_shards_reused == 2
    assert result.rejected == {"duplicate caption": 1, "duplicate url": 1}
    assert {path.name: path.read_bytes() for path in output.iterdir()} == before


def test_a_run_that_was_cut_off_goes_on_where_it_ended(tmp_path: Path) -> None:
    rows = [*good_rows(20), row("fox number 3 runs", 98)]
    table = write_table(tmp_path, rows)
    convert_laion(table, tmp_path / "whole", rows_per_shard=10)
    convert_laion(table, tmp_path / "cut", rows_per_shard=10)
    for name in ("00001.parquet", "00002.parquet", "00002.rejected.parquet"):
        (tmp_path / "cut" / name).unlink()
    assert convert_laion(table, tmp_path / "cut", rows_per_shard=10).num_shards_reused == 1
    for path in (tmp_path / "whole").iterdir():
        assert (tmp_path / "cut" / path.name).read_bytes() == path.read_bytes()


def test_other_filters_or_another_table_redo_the_shards_and_leave_none_behind(tmp_path: Path) -> None:
    table, output = write_table(tmp_path, good_rows(30)), tmp_path / "out"
    convert_laion(table, output, rows_per_shard=10)
    assert convert_laion(table, output, LaionFilters(max_caption_chars=17), 10).num_shards_reused == 0
    assert len(captions(output)) == 10
    write_table(tmp_path, good_rows(12))
    result = convert_laion(table, output, rows_per_shard=10)
    assert (result.num_shards, result.num_shards_reused) == (2, 0)
    assert sorted(path.name for path in output.glob("*.parquet")) == ["00000.parquet", "00001.parquet"]
    assert len(captions(output)) == 12


def test_a_larger_limit_reuses_the_full_shards(tmp_path: Path) -> None:
    table, output = write_table(tmp_path, good_rows(50)), tmp_path / "out"
    assert convert_laion(table, output, rows_per_shard=10, limit=25).num_in == 25
    result = convert_laion(table, output, rows_per_shard=10, limit=40)
    assert (result.num_in, result.num_shards, result.num_shards_reused) == (40, 4, 2)


def test_a_table_without_a_caption_column_is_refused_with_the_columns_it_has(tmp_path: Path) -> None:
    for suffix in WRITERS:
        table = write_table(tmp_path, [{"URL": "u", "picture": 1}], suffix)
        with pytest.raises(BadInputError, match=rf"table\.{suffix}: no caption column.*URL, picture"):
            convert_laion(table, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("suffix", WRITERS)
def test_an_empty_table_is_refused(suffix: str, tmp_path: Path) -> None:
    table = write_table(tmp_path, good_rows(1), suffix)
    if suffix == "parquet":
        pq.write_table(pq.read_table(table).slice(0, 0), table)
    else:
        header = b"" if "jsonl" in suffix else b"URL\tTEXT\n" if "tsv" in suffix else b"URL,TEXT\n"
        table.write_bytes(gzip.compress(header) if suffix.endswith("gz") else header)
    with pytest.raises(BadInputError, match=rf"table\.{suffix}: has no rows"):
        convert_laion(table, tmp_path / "out")


@pytest.mark.parametrize("suffix", ["parquet", "csv.gz", "jsonl.gz"])
def test_a_truncated_table_is_refused_by_name(suffix: str, tmp_path: Path) -> None:
    table = write_table(tmp_path, good_rows(300), suffix)
    table.write_bytes(table.read_bytes()[: table.stat().st_size * 2 // 3])
    with pytest.raises(BadInputError, match=rf"table\.{suffix}: truncated or damaged table") as caught:
        convert_laion(table, tmp_path / "out")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "csv.gz", "parquet"])
def test_a_file_that_is_something_else_is_refused(suffix: str, tmp_path: Path) -> None:
    table = tmp_path / f"table.{suffix}"
    table.write_bytes(bytes(random.Random(0).randrange(256) for _ in range(5000)))
    with pytest.raises(BadInputError, match=rf"table\.{suffix}: ") as caught:
        convert_laion(table, tmp_path / "out")
    assert "\n" not in str(caught.value)


def test_a_missing_table_an_unknown_suffix_and_a_folder_without_parts_are_refused(tmp_path: Path) -> None:
    (tmp_path / "table.xlsx").touch()
    (tmp_path / "folder").mkdir()
    for name, message in {
        "nowhere.csv": "no such table",
        "table.xlsx": "unknown suffix",
        "folder": "no .parquet",
    }.items():
        with pytest.raises(BadInputError, match=f"{name}: {message}"):
            convert_laion(tmp_path / name, tmp_path / "out")


def test_a_damaged_part_of_a_folder_is_found_before_anything_is_written(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    whole = write_table(tmp_path, good_rows(50))
    shutil.copy(whole, tmp_path / "parts" / "part-0.parquet")
    (tmp_path / "parts" / "part-1.parquet").write_bytes(whole.read_bytes()[:-500])
    with pytest.raises(BadInputError, match=r"part-1\.parquet"):
        convert_laion(tmp_path / "parts", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_output_folder_with_other_content_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    with pytest.raises(BadInputError, match="other content"):
        convert_laion(write_table(tmp_path, good_rows(3)), tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["thesis.txt"]


def test_filters_and_limits_out_of_range_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="max_punsafe is 50"):
        LaionFilters(max_punsafe=50)
    with pytest.raises(BadInputError, match="at least 1"):
        convert_laion(write_table(tmp_path, good_rows(3)), tmp_path / "out", rows_per_shard=0)


def test_a_table_of_unknown_columns_alone_is_told_from_an_empty_one(tmp_path: Path) -> None:
    table = tmp_path / "other.parquet"
    pq.write_table(pa.table({"title": ["a"], "size": [1]}), table)
    with pytest.raises(BadInputError, match="no caption column.*title, size"):
        convert_laion(table, tmp_path / "out")


def test_captions_of_another_table_are_replaced_only_when_that_is_wanted(tmp_path: Path) -> None:
    table, output = write_table(tmp_path, good_rows(20)), tmp_path / "out"
    convert_laion(table, output, rows_per_shard=10)
    other = table.rename(tmp_path / "other.parquet")
    with pytest.raises(BadInputError, match=r"out: holds captions made of .*/table\.parquet, not of .*/other\.parquet"):
        convert_laion(other, output, rows_per_shard=5)
    assert convert_laion(other, output, rows_per_shard=5, replace=True).num_shards == 4


def test_one_shard_is_made_alone_with_the_duplicates_of_those_before_it_known(tmp_path: Path) -> None:
    table = write_table(tmp_path, [*good_rows(10), row("Fox number 3 runs", 98), *good_rows(14)[11:]])
    convert_laion(table, tmp_path / "all", rows_per_shard=5)
    with pytest.raises(BadInputError, match="'00002' depends on those before it, and '00000' is not there"):
        convert_laion(table, tmp_path / "out", rows_per_shard=5, only="00002")
    for name in ("00000", "00001", "00002"):
        convert_laion(table, tmp_path / "out", rows_per_shard=5, only=name)
    for path in (tmp_path / "all").iterdir():
        assert (tmp_path / "out" / path.name).read_bytes() == path.read_bytes()


def test_rows_of_a_parquet_table_are_counted_while_they_are_read(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    convert_laion(
        write_table(tmp_path, good_rows(25), "parquet"),
        tmp_path / "out",
        rows_per_shard=10,
        progress=lambda *n: told.append(n),
    )
    assert told[0] == (0, 25) and told[-1][0] >= 25 and told[-1][1] == 25
