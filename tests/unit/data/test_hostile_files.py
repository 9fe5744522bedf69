"""Files that were damaged or made to harm: whatever reads them ends in one clear line, soon, and in little memory."""

from __future__ import annotations

import gzip
import io
import json
import random
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from editfoundry.curation.curate import curate
from editfoundry.curation.curation_config import CurationConfig
from editfoundry.data.exchange import exporter, importer
from editfoundry.data.index import index_path, read_fields
from editfoundry.data.record import Caption
from editfoundry.data.rejections import RejectedRow, read_rejections, write_rejections
from editfoundry.data.shards import count_triplets, read_triplets, write_triplets
from editfoundry.data.tables import count_rows, read_rows, write_rows
from editfoundry.data.untrusted import parse_json, read_json, read_toml, read_yaml
from editfoundry.errors import BadInputError, Rejection
from editfoundry.evaluation.reports.dataset_statistics import dataset_statistics
from editfoundry.lineage.params import load_params
from editfoundry.sources.laion import convert_laion
from editfoundry.sources.laion_filters import LaionFilters
from editfoundry.synthesis.instructions.instruction_rows import read_instruction_rows
from editfoundry.synthesis.quadruples.importing import import_quadruples

ANY_ROW = LaionFilters(max_punsafe=None)
DEEP = "[" * 10_000 + "]" * 10_000
NUM_FLIPS = 16


def ends_in_one_line(read: Callable[[], object]) -> None:
    """Run a reader; it may end well, or with an error of one line, and in no other way."""
    try:
        read()
    except (BadInputError, Rejection) as error:
        assert str(error) and "\n" not in str(error)


def flipped(data: bytes, seed: int) -> bytes:
    """Return ``data`` with one bit, or a few bytes, changed."""
    rng = random.Random(seed)
    changed = bytearray(data)
    for _ in range(rng.choice([1, 1, 1, 4])):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


@pytest.fixture(scope="module")
def shards(tmp_path_factory, make_triplet):
    folder = tmp_path_factory.mktemp("shards")
    rejected = [RejectedRow("row 9", "too dark", "mean 3", {"caption": "night"})]
    write_triplets(folder / "00000.tar", [make_triplet(number) for number in range(4)], rejected)
    return folder


@pytest.fixture
def copied(shards, tmp_path):
    return Path(shutil.copytree(shards, tmp_path / "copy"))


def readers(folder: Path, out: Path) -> Iterator[Callable[[], object]]:
    yield lambda: list(read_triplets(folder))
    yield lambda: list(read_fields(folder))
    yield lambda: list(read_rejections(folder))
    yield lambda: count_triplets(folder)
    yield lambda: curate(folder, out / "set", CurationConfig())
    yield lambda: exporter("instruct-pix2pix")(folder, out / "export")
    yield lambda: dataset_statistics(folder)


@pytest.mark.parametrize("name", ["00000.parquet", "00000.tar", "00000.rejected.parquet"])
def test_flipped_bits_of_a_shard_end_in_one_line_whoever_reads_it(name, copied, tmp_path):
    whole = (copied / name).read_bytes()
    for seed in range(NUM_FLIPS):
        (copied / name).write_bytes(flipped(whole, seed))
        for read in readers(copied, tmp_path / str(seed)):
            ends_in_one_line(read)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("provenance", DEEP),
        ("provenance", "[]"),
        ("provenance", '{"seed": ' + "9" * 5000 + "}"),
        ("scores", DEEP),
        ("scores", '{"clip_input": "high"}'),
        ("scores", '{"clip_input": [1]}'),
        ("scores", '{"clip_input": 1e999}'),
        ("scores", '{"clip_\\ud800": 1}'),
        ("scores", "null"),
        ("id", "../../etc/passwd"),
        ("id", ""),
        ("input_offset", -512),
        ("input_offset", 2**62),
        ("input_length", 2**62),
        ("input_length", -1),
        ("output_offset", 0),
        ("json_length", 2**40),
        ("width", 0),
        ("height", 2**30),
    ],
)
def test_an_index_row_with_an_impossible_value_is_bad_input(column, value, copied, tmp_path):
    table = pq.read_table(index_path(copied / "00000.tar"))
    rows = table.to_pylist()
    rows[1][column] = value
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), index_path(copied / "00000.tar"))
    with pytest.raises(BadInputError) as caught:
        list(read_triplets(copied))
    assert "00000" in str(caught.value) and "\n" not in str(caught.value)
    for read in readers(copied, tmp_path):
        ends_in_one_line(read)


@pytest.mark.parametrize("column", ["id", "scores", "input_offset", "keywords", "width", "split"])
def test_a_column_of_another_type_or_with_gaps_is_bad_input(column, copied):
    path = index_path(copied / "00000.tar")
    table = pq.read_table(path)
    place = table.column_names.index(column)
    others = {"number": pa.array([1.5] * 4), "gap": pa.array([None] * 4, table.schema.field(column).type)}
    for name, values in others.items():
        pq.write_table(table.set_column(place, column, values), path)
        with pytest.raises(BadInputError, match=f"column '{column}'"):
            list(read_fields(copied))
        assert name


def test_tables_of_captions_with_flipped_bits_or_other_types_end_in_one_line(tmp_path):
    path = tmp_path / "00000.parquet"
    write_rows(path, [Caption(caption=f"a fox {n}", url=str(n)) for n in range(50)], Caption)
    whole = path.read_bytes()
    for seed in range(NUM_FLIPS):
        path.write_bytes(flipped(whole, seed))
        ends_in_one_line(lambda: list(read_rows(path, Caption)))
        ends_in_one_line(lambda: count_rows(path))
    path.write_bytes(whole)
    table = pq.read_table(path)
    place = table.column_names.index("caption")
    pq.write_table(table.set_column(place, "caption", pa.array(range(50))), path)
    with pytest.raises(BadInputError, match="column 'caption' holds int64"):
        list(read_rows(path, Caption))


def test_rejections_with_a_row_that_is_no_json_are_bad_input(tmp_path):
    write_rejections(tmp_path / "00000.parquet", [RejectedRow("1", "unsafe")])
    path = tmp_path / "00000.rejected.parquet"
    table = pq.read_table(path)
    pq.write_table(table.set_column(table.column_names.index("row"), "row", pa.array([DEEP])), path)
    with pytest.raises(BadInputError, match="row of 1 is not JSON .nested"):
        list(read_rejections(tmp_path))


@pytest.mark.parametrize("name", ["huggingface", "editworld", "instruct-pix2pix"])
def test_imports_of_files_with_flipped_bits_end_in_one_line(name, shards, tmp_path):
    exporter(name)(shards, tmp_path / "whole")
    files = sorted(p for p in (tmp_path / "whole").rglob("*") if p.is_file() and not p.name.startswith("."))
    for seed in range(NUM_FLIPS):
        path = files[seed % len(files)]
        whole = path.read_bytes()
        path.write_bytes(flipped(whole, seed))
        ends_in_one_line(lambda seed=seed: importer(name)(tmp_path / "whole", tmp_path / f"back{seed}"))
        path.write_bytes(whole)


HOSTILE_TEXTS = [DEEP, "{", "[" * 900, '{"a":' * 900 + "1" + "}" * 900, "9" * 5000, '["\\ud800"]', "[1e999]", "\0", ""]
HOSTILE_ROWS = [
    {"original_img_path": "a" * 5000, "target_img_path": "b", "instuction": "x"},
    {"original_img_path": "../" * 500, "target_img_path": "b", "instuction": "x"},
    {"original_img_path": "a\0b", "target_img_path": [1], "instuction": "x"},
    {"original_img_path": {"a": 1}, "target_img_path": 3, "instuction": ["x"]},
    {"instuction": "x", "editfoundry": {"scores": {"a": 10**30}}},
    {"instuction": "x", "key_words": [[[]]], "category": {}, "editfoundry": DEEP},
]


@pytest.mark.parametrize("content", HOSTILE_TEXTS)
def test_json_and_yaml_out_of_bounds_are_bad_input_in_every_file_that_a_person_gives(content, tmp_path):
    files = {
        "train.json": lambda path: importer("editworld")(path.parent, tmp_path / "a"),
        "seeds.json": lambda path: importer("instruct-pix2pix")(path.parent, tmp_path / "b"),
        "q.json": lambda path: import_quadruples(path, tmp_path / "c"),
        "q.jsonl": lambda path: import_quadruples(path, tmp_path / "d"),
        "params.yaml": load_params,
        "table.jsonl": lambda path: convert_laion(path, tmp_path / "e", ANY_ROW),
        "table.csv": lambda path: convert_laion(path, tmp_path / "f", ANY_ROW),
    }
    for name, read in files.items():
        (tmp_path / name).write_text(content)
        if content or name != "params.yaml":
            with pytest.raises(BadInputError) as caught:
                read(tmp_path / name)
            assert "\n" not in str(caught.value)


@pytest.mark.parametrize("row", HOSTILE_ROWS)
def test_hostile_rows_of_a_listing_are_rejections(row, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "train.json").write_text(json.dumps([row]))
    ends_in_one_line(lambda: importer("editworld")(tmp_path / "in", tmp_path / "out"))
    (tmp_path / "q.json").write_text(json.dumps([row]))
    ends_in_one_line(lambda: import_quadruples(tmp_path / "q.json", tmp_path / "quadruples"))


@pytest.mark.parametrize(
    "content",
    [
        "a: &a [1, 2]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
        "d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e,*e]",
        "a: &a [*a]",
        "? [1, 2]\n: 3",
        "a: 2001-99-99",
        "a: !!python/object/apply:os.system [ls]",
        "a: " + "1" * 4300,
        "a: '" + "x" * 2**21 + "'",
        'a: "\\ud800"',
    ],
)
def test_yaml_that_unfolds_names_objects_or_holds_no_text_is_bad_input(content, tmp_path):
    (tmp_path / "params.yaml").write_text(content)
    started = time.process_time()
    with pytest.raises(BadInputError, match=r"params.yaml: cannot be read as YAML"):
        read_yaml(tmp_path / "params.yaml")
    assert time.process_time() - started < 10


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "latin-1"])
@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("a.json", lambda path: read_json(path, dict)),
        ("a.toml", read_toml),
        ("a.yaml", read_yaml),
        ("q.json", lambda path: import_quadruples(path, path.parent / "out")),
        ("q.jsonl", lambda path: import_quadruples(path, path.parent / "out")),
        ("rows.jsonl", lambda path: list(read_instruction_rows(path))),
    ],
)
def test_text_in_another_encoding_is_said_to_be_so(name, read, encoding, tmp_path):
    words = "'é'" if name.endswith("toml") else '"é"'
    (tmp_path / name).write_bytes((f"a = {words}" if name.endswith("toml") else f'{{"a": {words}}}').encode(encoding))
    with pytest.raises(BadInputError, match=f"^{tmp_path / name}: is not UTF-8 text; save it again as UTF-8$"):
        read(tmp_path / name)


def test_json_with_a_byte_order_mark_is_read(tmp_path):
    (tmp_path / "answers.json").write_bytes('\ufeff{"a": "é"}'.encode())
    assert read_json(tmp_path / "answers.json", dict) == {"a": "é"}


@pytest.mark.parametrize("text", ["[1, 2.5, null, true]", '{"a": {"b": ["é", "🦊"]}}', "[NaN, Infinity]"])
def test_plain_json_is_read_as_python_reads_it(text):
    expected = json.loads(text)
    assert parse_json(text) == ([None, None] if "NaN" in text else expected)


@pytest.mark.parametrize("kind", ["newlines", "spaces", "one caption"])
def test_a_small_gz_that_unpacks_to_a_thousand_times_its_size_is_refused_soon(kind, tmp_path, monkeypatch):
    monkeypatch.setattr("editfoundry.sources.table_reader._UNPACKED_FREELY", 2**20)
    line = {"newlines": b"\n", "spaces": b" " * 80 + b"\n", "one caption": b"a fox in the snow\n"}[kind]
    path = tmp_path / "table.csv.gz"
    with gzip.open(path, "wb") as file:
        file.write(b"caption\n")
        block = line * (2**20 // len(line))
        for _ in range(30):
            file.write(block)
    started = time.process_time()
    with pytest.raises(BadInputError, match="is it a table"):
        convert_laion(path, tmp_path / "out", ANY_ROW, rows_per_shard=10**9)
    assert time.process_time() - started < 10


def test_a_small_parquet_of_thousands_of_long_cells_is_refused_before_it_is_unpacked(tmp_path):
    buffer = io.BytesIO()
    cells = pa.DictionaryArray.from_arrays(pa.array([0] * 2000, pa.int32()), pa.array(["x" * 2**21]))
    pq.write_table(pa.table({"caption": cells}), buffer, compression="zstd")
    assert buffer.tell() < 2**16
    (tmp_path / "table.parquet").write_bytes(buffer.getvalue())
    before = pa.default_memory_pool().max_memory() or 0
    with pytest.raises(BadInputError, match="a cell has 2097152 bytes"):
        convert_laion(tmp_path / "table.parquet", tmp_path / "out", ANY_ROW)
    assert (pa.default_memory_pool().max_memory() or 0) < max(before, 2**31)


def test_tables_with_flipped_bits_end_in_one_line(tmp_path):
    rows = {"caption": [f"a fox {n}" for n in range(40)], "punsafe": [0.1] * 40}
    pq.write_table(pa.table(rows), tmp_path / "table.parquet")
    packed = gzip.compress(("caption,punsafe\n" + "".join(f"a fox {n},0.1\n" for n in range(40))).encode())
    (tmp_path / "table.csv.gz").write_bytes(packed)
    for name in ("table.parquet", "table.csv.gz"):
        whole = (tmp_path / name).read_bytes()
        for seed in range(NUM_FLIPS):
            (tmp_path / name).write_bytes(flipped(whole, seed))
            out = tmp_path / f"{name}{seed}"
            ends_in_one_line(lambda name=name, out=out: convert_laion(tmp_path / name, out))
