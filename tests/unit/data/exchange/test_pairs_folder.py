from __future__ import annotations

import csv
import json

import pytest

from editfoundry.data.exchange.pairs_folder import import_pairs_folder
from editfoundry.data.rejections import read_rejections
from editfoundry.data.shards import read_triplets
from editfoundry.errors import BadInputError


@pytest.fixture
def pictures(tmp_path, triplet):
    """A folder with ``before/N.png``, ``after/N.png`` and ``masks/1.png`` of three pairs, and the pairs."""
    folder = tmp_path / "pictures"
    pairs = [triplet(n) for n in range(3)]
    for name in ("before", "after", "masks"):
        (folder / name).mkdir(parents=True)
    for number, pair in enumerate(pairs):
        pair.input_image.save(folder / "before" / f"{number}.png")
        pair.output_image.save(folder / "after" / f"{number}.png")
    pairs[1].mask.save(folder / "masks" / "1.png")
    return folder, pairs


def row(number: int, **columns: str) -> dict[str, str]:
    paths = {"input": f"before/{number}.png", "output": f"after/{number}.png"}
    return {**paths, "instruction": f"melt it, number {number}", **columns}


def write_csv(path, rows, delimiter=","):
    names = list(dict.fromkeys(name for one in rows for name in one))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names, delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)


def test_a_csv_of_pairs_becomes_triplets_with_all_that_its_columns_say(pictures, tmp_path):
    folder, pairs = pictures
    said = {
        "input_caption": "a snowman, à la mode",
        "output_caption": "a puddle",
        "category": "Long-Term",
        "task": "Local",
    }
    said |= {"mask": "masks/1.png", "split": "val", "source": "https://example.org/1"}
    write_csv(folder / "pairs.csv", [row(0), row(1, **said)])
    result = import_pairs_folder(folder, tmp_path / "out")
    assert (result.num_in, result.num_out) == (2, 2)
    plain, full = sorted(read_triplets(tmp_path / "out"), key=lambda t: t.instruction)
    assert (plain.id, full.id) == (pairs[0].id, pairs[1].id)
    assert (plain.split, plain.source, plain.mask) == ("", "pairs.csv row 1", None)
    assert (full.split, full.source) == ("validation", "https://example.org/1")
    assert (full.input_caption, full.output_caption, full.category) == ("a snowman, à la mode", "a puddle", "Long-Term")
    assert (plain.task, full.task) == ("", "local")
    assert full.mask.tobytes() == pairs[1].mask.tobytes()


@pytest.mark.parametrize("kind", ["tsv", "jsonl"])
def test_tab_separated_and_jsonl_tables_say_the_same(pictures, tmp_path, kind):
    folder, pairs = pictures
    rows = [row(0), row(1), row(2)]
    if kind == "tsv":
        write_csv(folder / "pairs.tsv", rows, "\t")
    else:
        (folder / "pairs.jsonl").write_text("\n".join(json.dumps(one) for one in rows) + "\n\n")
    import_pairs_folder(folder / f"pairs.{kind}", tmp_path / "out")
    assert {t.id for t in read_triplets(tmp_path / "out")} == {pair.id for pair in pairs}


def test_columns_may_have_the_names_of_published_sets(pictures, tmp_path):
    folder, pairs = pictures
    one = {"original_image": "before/0.png", "edited_image": "after/0.png", "edit_prompt": "melt it, number 0"}
    write_csv(folder / "anything.csv", [one])
    import_pairs_folder(folder, tmp_path / "out")
    assert [t.id for t in read_triplets(tmp_path / "out")] == [pairs[0].id]


def test_each_row_that_cannot_be_used_is_recorded_with_its_place_and_reason(pictures, tmp_path):
    folder, _ = pictures
    (folder / "broken.png").write_bytes(b"no picture")
    outside = tmp_path / "outside.png"
    outside.write_bytes((folder / "after" / "0.png").read_bytes())
    bad = {
        "missing image": row(0, output="after/9.png"),
        "unreadable image": row(0, output="broken.png"),
        "path leaves folder": row(0, output="../outside.png"),
        "identical pair": row(0, output="before/0.png"),
        "no instruction": row(0, instruction=" "),
        "unknown split": row(0, split="holdout"),
        "unknown task": row(0, task="fly"),
    }
    write_csv(folder / "pairs.csv", [row(0), *bad.values()])
    with (folder / "pairs.csv").open("ab") as file:
        file.write(b"before/1.png,after/1.png\n")
        file.write(b"before/1.png,after/1.png,melt \xff it,\n")
    result = import_pairs_folder(folder, tmp_path / "out")
    assert (result.num_in, result.num_out) == (10, 1)
    rejected = [(r.reason, r.id) for r in read_rejections(tmp_path / "out")]
    expected = [(reason, f"pairs.csv row {number}") for number, reason in enumerate(bad, start=2)]
    assert sorted(rejected) == sorted(
        [*expected, ("broken row", "pairs.csv row 9"), ("broken row", "pairs.csv row 10")]
    )


HOSTILE = {
    "cut off": "{",
    "no object": "[1]",
    "deep": '{"input": ' + "[" * 5000,
    "lone surrogate": '{"input": "before/0.png", "output": "after/0.png", "instruction": "\\ud800"}',
}


@pytest.mark.parametrize("line", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_jsonl_line_is_one_rejection(pictures, tmp_path, line):
    folder, _ = pictures
    (folder / "pairs.jsonl").write_text(json.dumps(row(1)) + "\n" + line + "\n")
    result = import_pairs_folder(folder, tmp_path / "out")
    assert (result.num_out, result.rejected) == (1, {"broken row": 1})


def test_a_row_whose_quote_is_not_closed_is_a_rejection_and_the_rows_after_it_are_kept(pictures, tmp_path):
    folder, _ = pictures
    lines = ["input,output,instruction"] + [f"before/{n}.png,after/{n}.png,melt it" for n in (0, 1, 2)]
    lines[2] = 'before/1.png,after/1.png,"melt it'
    lines.append('before/1.png,after/1.png,"melt it,\nall of it, now"')
    (folder / "pairs.csv").write_text("\n".join(lines))
    result = import_pairs_folder(folder, tmp_path / "out")
    assert (result.num_in, result.num_out, result.rejected) == (4, 3, {"broken row": 1})
    (rejected,) = read_rejections(tmp_path / "out")
    assert (rejected.id, rejected.detail) == ("pairs.csv row 2", "a quote that opens in this row is not closed")
    told = sorted(t.instruction for t in read_triplets(tmp_path / "out"))
    assert told == ["melt it", "melt it", "melt it,\nall of it, now"]


def test_a_first_jsonl_row_without_the_columns_is_one_rejection(pictures, tmp_path):
    folder, _ = pictures
    (folder / "pairs.jsonl").write_text('{"foo": 1}\n' + json.dumps(row(1)) + "\n")
    result = import_pairs_folder(folder, tmp_path / "out")
    assert (result.num_in, result.num_out) == (2, 1)
    assert [r.id for r in read_rejections(tmp_path / "out")] == ["pairs.jsonl row 1"]
    (folder / "pairs.jsonl").write_text('{"foo": 1}\n{"bar": 1}\n')
    with pytest.raises(BadInputError, match="no column 'input'.*it has foo"):
        import_pairs_folder(folder, tmp_path / "again")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le"])
@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl"])
def test_a_table_in_utf_16_is_told_to_be_no_utf_8(pictures, tmp_path, kind, encoding):
    folder, _ = pictures
    text = json.dumps(row(1)) if kind == "jsonl" else "input,output,instruction\na,b,c\n"
    (folder / f"pairs.{kind}").write_bytes(text.encode(encoding))
    with pytest.raises(BadInputError, match=f"pairs.{kind}: is not UTF-8 text"):
        import_pairs_folder(folder, tmp_path / "out")


def test_a_folder_without_a_usable_table_is_refused_in_one_line(pictures, tmp_path):
    folder, _ = pictures
    with pytest.raises(BadInputError, match="no CSV, TSV or JSONL table"):
        import_pairs_folder(folder, tmp_path / "out")
    write_csv(folder / "pairs.csv", [{"input": "a", "output": "b"}])
    with pytest.raises(BadInputError, match="no column 'instruction'.*it has input, output"):
        import_pairs_folder(folder, tmp_path / "out")
    (folder / "pairs.csv").write_text("input,output,instruction\n")
    with pytest.raises(BadInputError, match="lists no pair"):
        import_pairs_folder(folder, tmp_path / "out")
    (folder / "pairs.csv").unlink()
    for name in ("one.csv", "two.csv"):
        write_csv(folder / name, [row(0)])
    with pytest.raises(BadInputError, match="several tables"):
        import_pairs_folder(folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()
