import dataclasses
import json
from pathlib import Path

import pytest

from editfoundry.data.index import read_fields
from editfoundry.data.record import Caption, Quadruple
from editfoundry.data.tables import read_rows, write_rows
from editfoundry.errors import BadInputError
from editfoundry.lineage.stages import STAGES, Params, load_params, synthesize_editworld_text, write_caption_quadruples
from editfoundry.synthesis.editworld_text.config import TextBranchConfig

PARAMS_FILE = Path(__file__).parents[3] / "params.yaml"


def test_the_projects_own_parameters_are_valid():
    assert load_params(PARAMS_FILE).captions.num_rows > 0


def test_without_a_file_there_are_defaults():
    assert load_params(None) == Params()


def test_stages_are_in_the_order_of_the_lineage():
    assert list(STAGES) == [
        "captions", "quadruples", "editworld_text", "clips", "frame_pairs", "editworld_video", "dataset", "editworld",
        "editworld_report",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("profil: embedded", "unknown parameter profil; there are profile, device"),
        ("dataset: {treshold: 1}", "unknown parameter dataset.treshold"),
        ("dataset: {thresholds: {clip: 1}}", "unknown parameter dataset.thresholds.clip"),
        ("1: 2", "unknown parameter 1"),
        ("dataset: 3", "dataset. is not a mapping"),
        ("- 1", "the file is not a mapping"),
        ("captions: {num_rows: many}", "parameter captions.num_rows is 'many', which is no int"),
        ("captions: {num_rows: true}", "parameter captions.num_rows is True, which is no int"),
        ("editworld_text: {guidance_scale: high}", "editworld_text.guidance_scale is 'high', which is no float"),
        ("dataset: {shares: {validation: 0.6, test: 0.5}}", "shares"),
        ("captions: {filters: {max_punsafe: 3}}", "max_punsafe is 3"),
        ("a: [", "cannot be read as parameters"),
    ],
)
def test_a_wrong_parameter_is_named_with_its_file(tmp_path, text, message):
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(BadInputError, match=message) as error:
        load_params(path)
    assert str(error.value).startswith(str(path)) and "\n" not in str(error.value)


def test_whole_numbers_lists_and_nothing_are_taken_where_they_fit(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(
        "editworld_text: {guidance_scale: 4}\ncaptions: {filters: {max_punsafe: null, unsafe_tags: [NSFW]}}"
    )
    params = load_params(path)
    assert params.editworld_text.guidance_scale == 4.0
    assert params.captions.filters.max_punsafe is None and params.captions.filters.unsafe_tags == ("NSFW",)


def test_an_empty_file_means_the_defaults(tmp_path):
    (tmp_path / "params.yaml").write_text("")
    assert load_params(tmp_path / "params.yaml") == Params()


def test_quadruples_of_nothing_are_bad_input(tmp_path):
    with pytest.raises(BadInputError, match="no such file or folder"):
        write_caption_quadruples(Params(), tmp_path / "gone", tmp_path / "out")


def test_captions_and_files_of_quadruples_become_triplets_in_one_call(tmp_path):
    text = TextBranchConfig(num_input_candidates=1, num_output_candidates=1, num_inference_steps=2)
    params = dataclasses.replace(load_params(PARAMS_FILE), editworld_text=text)
    params = dataclasses.replace(params, quadruples=dataclasses.replace(params.quadruples, writer="tinyworld"))
    captions = [Caption(caption="a full glass on the right on a beach at sunset", url="https://a.invalid/1")]
    write_rows(tmp_path / "captions" / "00000.parquet", captions, Caption)
    result = synthesize_editworld_text(params, tmp_path / "captions", tmp_path / "from_captions")
    written = list(read_rows(tmp_path / "from_captions" / "quadruples", Quadruple))
    assert [row["instruction"] for row in read_fields(tmp_path / "from_captions")] == [q.instruction for q in written]
    assert result.num_out == len(written) == 1
    listed = tmp_path / "quadruples.jsonl"
    listed.write_text("".join(json.dumps(dataclasses.asdict(q)) + "\n" for q in written))
    assert synthesize_editworld_text(params, listed, tmp_path / "from_file").num_out == 1
