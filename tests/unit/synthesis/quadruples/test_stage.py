import json

import pytest

from editfoundry.data.record import Caption, Quadruple
from editfoundry.data.rejections import read_rejections
from editfoundry.data.tables import read_rows, write_rows
from editfoundry.errors import BadInputError, Rejection
from editfoundry.synthesis.quadruples import import_quadruples, write_quadruples

OURS = {
    "input_caption": "a glass of ice",
    "instruction": "an hour passes",
    "output_caption": "a glass of water",
    "keywords": ["ice"],
    "category": "Long-Term",
}
EDITWORLD = {
    "original_caption": "a glass of ice",
    "instuction": "an hour passes",
    "target_cation": "a glass of water",
    "key_words": "ice",
}


def freeze(caption: Caption) -> Quadruple:
    """The rule of these tests: what has water freezes."""
    if "water" not in caption.caption:
        raise Rejection("no water")
    return Quadruple(
        input_caption=caption.caption,
        instruction="it freezes",
        output_caption=caption.caption.replace("water", "ice"),
        keywords=("water",),
        category="Physical-Trans",
        source=caption.id,
    )


@pytest.fixture
def captions(tmp_path):
    folder = tmp_path / "captions"
    write_rows(folder / "00000.parquet", [Caption(caption="some water"), Caption(caption="a rock")], Caption)
    write_rows(folder / "00001.parquet", [Caption(caption="cold water")], Caption)
    return folder


@pytest.fixture
def output(tmp_path):
    return tmp_path / "quadruples"


def test_captions_become_quadruples_or_rejections(captions, output):
    result = write_quadruples(captions, output, freeze, 0)
    assert (result.num_in, result.num_out, result.rejected) == (3, 2, {"no water": 1})
    assert [q.output_caption for q in read_rows(output, Quadruple)] == ["some ice", "cold ice"]
    assert [r.id for r in read_rejections(output)] == [Caption(caption="a rock").id]


def test_a_writer_that_names_keywords_outside_the_caption_is_not_believed(captions, output):
    def careless(caption):
        return Quadruple(
            input_caption=caption.caption, instruction="x", output_caption="y", keywords=("sand",), category=""
        )

    result = write_quadruples(captions, output, careless, 0)
    assert result.rejected == {"keyword not in caption": 3}


def test_a_second_run_reuses_every_shard_and_other_parameters_redo_them(captions, output):
    first = write_quadruples(captions, output, freeze, 0)
    again = write_quadruples(captions, output, freeze, 0)
    other = write_quadruples(captions, output, freeze, 1)
    assert (first.num_shards_reused, again.num_shards_reused, other.num_shards_reused) == (0, 2, 0)
    assert (again.num_in, again.num_out, again.rejected) == (first.num_in, first.num_out, first.rejected)


def test_shards_of_captions_that_are_gone_are_removed_with_their_rejections(captions, output):
    write_rows(captions / "00002.parquet", [Caption(caption="a stone")], Caption)
    write_quadruples(captions, output, freeze, 0)
    (captions / "00002.parquet").unlink()
    write_quadruples(captions, output, freeze, 0)
    assert sorted(p.name for p in output.glob("*.parquet")) == [
        "00000.parquet",
        "00000.rejected.parquet",
        "00001.parquet",
    ]


def test_a_folder_without_captions_is_bad_input_and_leaves_no_output(tmp_path, output):
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInputError, match="no Parquet table here"):
        write_quadruples(tmp_path / "empty", output, freeze, 0)
    assert not output.exists()


@pytest.mark.parametrize("row", [OURS, EDITWORLD, {**EDITWORLD, "key_words": ["ice"]}])
@pytest.mark.parametrize("layout", ["list", "mapping", "one", "jsonl"])
def test_both_spellings_are_read_from_every_layout(tmp_path, output, row, layout):
    path = tmp_path / ("q.jsonl" if layout == "jsonl" else "q.json")
    data = {"list": [row], "mapping": {"0": row}, "one": row, "jsonl": row}[layout]
    path.write_text(json.dumps(data))
    result = import_quadruples(path, output)
    assert (result.num_in, result.num_out) == (1, 1)
    (quadruple,) = read_rows(output, Quadruple)
    assert quadruple.input_caption == "a glass of ice"
    assert quadruple.instruction == "an hour passes"
    assert quadruple.output_caption == "a glass of water"
    assert quadruple.keywords == ("ice",)
    assert quadruple.source == f"{path.name}:1"


def test_a_bad_line_of_jsonl_is_recorded_and_the_rest_read(tmp_path, output):
    path = tmp_path / "q.jsonl"
    path.write_text(json.dumps(OURS) + '\n{"input_caption": \n\n' + json.dumps(OURS | {"instruction": "melt"}) + "\n")
    result = import_quadruples(path, output)
    assert (result.num_in, result.num_out, result.rejected) == (3, 2, {"malformed line": 1})
    (rejection,) = read_rejections(output)
    assert rejection.id == "q.jsonl:2" and rejection.row == {"line": '{"input_caption": '}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"keywords": []}, "no keywords"),
        ({"keywords": None}, "no keywords"),
        ({"keywords": [1]}, "no keywords"),
        ({"keywords": ["steam"]}, "keyword not in caption"),
        ({"instruction": " "}, "no instruction"),
        ({"output_caption": 3}, "no output caption"),
        ({"input_caption": None}, "no input caption"),
    ],
)
def test_an_unusable_row_is_rejected_with_its_reason(tmp_path, output, change, reason):
    path = tmp_path / "q.json"
    path.write_text(json.dumps([{**OURS, **change}, OURS, "text"]))
    result = import_quadruples(path, output)
    assert result.num_in == 3 and result.num_out == 1
    assert result.rejected[reason] >= 1


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", "not JSON"), ("[]", "holds no quadruple"), ("3", "must hold a list"), ("", "not JSON"), (None, "cannot be")],
)
def test_a_file_that_is_unusable_as_a_whole_is_bad_input_and_leaves_no_output(tmp_path, output, text, message):
    path = tmp_path / "q.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(BadInputError, match=message):
        import_quadruples(path, output)
    assert not output.exists()


def test_an_import_is_reused_until_the_file_changes(tmp_path, output):
    path = tmp_path / "q.json"
    path.write_text(json.dumps([OURS]))
    assert [import_quadruples(path, output).num_shards_reused for _ in range(2)] == [0, 1]
    path.write_text(json.dumps([OURS, {**OURS, "instruction": "melt"}]))
    assert import_quadruples(path, output).num_out == 2
