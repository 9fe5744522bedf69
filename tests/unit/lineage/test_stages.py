import dataclasses
import json
from pathlib import Path

import pytest

from editfoundry.data.index import read_fields
from editfoundry.data.record import Caption, Quadruple
from editfoundry.data.tables import read_rows, write_rows
from editfoundry.editors.train import training_config
from editfoundry.editors.triplet_training.content_hashes import editor_hash
from editfoundry.errors import BadInputError
from editfoundry.execution.stage_record import StageRequest
from editfoundry.lineage.editor_stage import EDITOR_LINES, training_values
from editfoundry.lineage.params import Params, load_params
from editfoundry.lineage.stages import (
    MAIN_LINE,
    STAGES,
    Paths,
    check_params,
    makers,
    run_stage,
    stage_named,
    stage_request,
)
from editfoundry.synthesis.editworld_text.config import TextBranchConfig

PARAMS_FILE = Path(__file__).parents[3] / "params.yaml"


def call(name, params, source, output):
    """Run a stage on folders of a person's own, as its command does."""
    return stage_named(name).run(StageRequest(params=params, sources=(source,), output=output))


def test_the_projects_own_parameters_are_valid():
    assert load_params(PARAMS_FILE).captions.num_rows > 0


def test_without_a_file_there_are_the_profiles_own_parameters():
    assert load_params(None) == load_params(PARAMS_FILE) != Params()


def test_stages_are_in_the_order_of_the_lineage():
    made = set()
    for stage in STAGES:
        assert {maker.name for maker in makers(stage)} <= made, stage.name
        made.add(stage.name)
    assert len(made) == len(STAGES)


def test_no_two_stages_write_into_one_folder_or_into_each_others():
    outputs = [Path(path) for stage in STAGES for path in (stage.output, *stage.further_outputs)]
    assert not [(a, b) for a in outputs for b in outputs if a is not b and (a == b or a in b.parents)]


def test_what_a_stage_reads_is_made_by_another():
    made = {path for stage in STAGES for path in stage.further_outputs}
    for stage in STAGES:
        assert set(stage.further_inputs) <= made, stage.name
        assert all(stage_named(name) for name in stage.inputs)


def test_a_stage_has_one_way_to_be_called():
    for stage in STAGES:
        assert bool(stage.commands) != (stage.synthesize is not None), stage.name


def test_a_stage_s_output_is_the_attribute_of_its_name(tmp_path):
    paths = Paths(tmp_path)
    assert paths.editworld_video == tmp_path / "data" / "triplets" / "editworld-video"
    assert all(getattr(paths, stage.name) == tmp_path / stage.output for stage in STAGES)
    with pytest.raises(AttributeError, match="no stage 'datasets'; there are captions, quadruples"):
        _ = paths.datasets


def test_the_data_set_takes_the_triplets_of_every_recipe(tmp_path):
    triplets = [stage for stage in MAIN_LINE if stage.recipe]
    request = stage_request("dataset", Params(), tmp_path)
    assert request.sources == tuple(tmp_path / stage.output for stage in triplets)
    assert [stage.recipe for stage in triplets] == ["editworld-text", "editworld-video", "rehearsal"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("editworld: {num_steps: 3, learning_rat: 1}", "section editworld: unknown setting 'learning_rat'"),
        ("editworld: {num_steps: 0}", "section editworld: num_steps is 0, but must be at least 1"),
        ("editworld: {num_steps: null}", "section editworld: "),
        ("editworld: {num_steps: 3}\neditworld_report: {post_edit: {tua: 1}}", "section editworld_report: .*'tua'"),
        (
            "editworld: {num_steps: 3}\nquadruples: {exemplars: gone.toml}",
            "section quadruples: .* 'gone.toml'",
        ),
        ("editworld: {num_steps: 3}\neditworld_video: {prompts: gone.toml}", "section editworld_video: .* 'gone.toml'"),
    ],
)
def test_a_parameter_that_only_its_stage_can_judge_is_told_with_file_and_section(tmp_path, text, message):
    file = tmp_path / "params.yaml"
    file.write_text(text)
    with pytest.raises(BadInputError, match=f"{file}: {message}"):
        check_params(load_params(file), tmp_path, file)


def test_parameters_of_every_stage_of_the_projects_own_file_are_right(tmp_path):
    check_params(load_params(PARAMS_FILE), tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("profil: embedded", "unknown parameter profil; there are profile, device"),
        ("dataset: {treshold: 1}", "unknown parameter dataset.treshold"),
        ("dataset: {thresholds: {clip: 1}}", "unknown parameter dataset.thresholds.clip"),
        ("dataset: {recipe_thresholds: {editworld-text: {clip: 1}}}", "recipe_thresholds.editworld-text.clip"),
        ("1: 2", "unknown parameter 1"),
        ("dataset: 3", "params.yaml: dataset is not a mapping"),
        ("claims: 5", "params.yaml: claims is not a mapping"),
        ("claims: {seed: -1}", "parameter claims.seed is -1, but must be 0 to 4294967295"),
        ("editworld_text: {seed: 4294967296}", "parameter editworld_text.seed is 4294967296, but must be 0 to"),
        ("dataset: {thresholds: {clip_input: .nan}}", "dataset.thresholds.clip_input is nan, but must be a finite"),
        ("dataset: {judge: {success: .inf}}", "dataset.judge.success is inf, but must be a finite"),
        ("dataset: {recipe_thresholds: {a: {clip_image: .nan}}}", "recipe_thresholds.a.clip_image is nan"),
        ("instructions: {temperature: .inf}", "instructions.temperature is inf, but must be a finite"),
        ("- 1", "the file is not a mapping"),
        ("captions: {num_rows: many}", "parameter captions.num_rows is 'many', which is no int"),
        ("captions: {num_rows: true}", "parameter captions.num_rows is True, which is no int"),
        ("editworld_text: {guidance_scale: high}", "editworld_text.guidance_scale is 'high', which is no float"),
        ("dataset: {shares: {validation: 0.6, test: 0.5}}", "shares"),
        ("captions: {filters: {max_punsafe: 3}}", "section captions.filters: max_punsafe is 3"),
        ("clips: {num_clips: 0}", "section clips: num_clips is 0; it must be from 1 to 1000000000"),
        ("claims: {num_world_items: 0}", "section claims: num_world_items is 0; it must be at least 1"),
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


def test_an_empty_file_means_the_profiles_own_parameters(tmp_path):
    (tmp_path / "params.yaml").write_text("")
    assert load_params(tmp_path / "params.yaml") == load_params(None)


def test_quadruples_of_nothing_are_bad_input(tmp_path):
    with pytest.raises(BadInputError, match="no such file or folder"):
        call("quadruples", Params(), tmp_path / "gone", tmp_path / "out")


def test_captions_and_files_of_quadruples_become_triplets_in_one_call(tmp_path):
    text = TextBranchConfig(num_input_candidates=1, num_output_candidates=1, num_inference_steps=2)
    params = dataclasses.replace(load_params(PARAMS_FILE), editworld_text=text)
    params = dataclasses.replace(params, quadruples=dataclasses.replace(params.quadruples, writer="tinyworld"))
    captions = [Caption(caption="a full glass on the right on a beach at sunset", url="https://a.invalid/1")]
    write_rows(tmp_path / "captions" / "00000.parquet", captions, Caption)
    result = call("editworld_text", params, tmp_path / "captions", tmp_path / "from_captions")
    written = list(read_rows(tmp_path / "from_captions" / "quadruples", Quadruple))
    assert [row["instruction"] for row in read_fields(tmp_path / "from_captions")] == [q.instruction for q in written]
    assert result.num_out == len(written) == 1
    listed = tmp_path / "quadruples.jsonl"
    listed.write_text("".join(json.dumps(dataclasses.asdict(q)) + "\n" for q in written))
    assert call("editworld_text", params, listed, tmp_path / "from_file").num_out == 1


def test_training_starts_from_the_revision_that_the_profile_pins(tmp_path):
    profile = tmp_path / "mine.toml"
    profile.write_text("[editor_base]\nmodel = 'owner/name'\nrevision = 'v2'\n[params.editworld]\nnum_steps = 3\n")
    config = training_config(training_values(stage_request("editworld", load_params(None, str(profile)), tmp_path)))
    assert (config.editor, config.revision) == ("owner/name", "v2")
    assert editor_hash("owner/name", revision="v2") != editor_hash("owner/name") == editor_hash("owner/name", [""])


def test_each_line_trains_its_own_family_from_the_models_that_the_profile_gives_its_roles(tmp_path):
    profile = tmp_path / "mine.toml"
    profile.write_text(
        "[editor_base]\nmodel = 'owner/base'\nrevision = 'v2'\n[text_to_image]\nmodel = 'owner/painter'\n"
        "[vision_language_model]\nmodel = 'owner/llava'\nrevision = 'v3'\n"
        "[params.emu_edit]\nnum_steps = 3\n[params.mgie]\nnum_steps = 3\nmllm = 'owner/other'\n"
        "[params.imagen_editor]\nnum_steps = 3\n"
    )
    params = load_params(None, str(profile))
    configs = {
        name: training_config(training_values(stage_request(name, params, tmp_path), EDITOR_LINES[name]))
        for name in ("emu_edit", "mgie", "imagen_editor")
    }
    emu, mgie, imagen = configs.values()
    assert [type(config).__name__ for config in configs.values()] == [
        "EmuEditTraining",
        "MgieTraining",
        "InpaintingTraining",
    ]
    assert (emu.editor, emu.revision, emu.dataset) == ("owner/base", "v2", tmp_path / "data/triplets/emu-edit")
    # The section names a language model of its own, so the profile's revision is not meant.
    assert (mgie.editor, mgie.mllm, mgie.mllm_revision) == ("owner/base", "owner/other", "main")
    assert (mgie.expressive_field, mgie.dataset) == ("expressive_instruction", tmp_path / "data/expressive")
    assert (imagen.editor, imagen.profile, imagen.roles) == ("owner/painter", str(profile), ("detector",))


def test_an_inpainter_that_asks_a_detector_is_refused_where_the_profile_has_none(tmp_path):
    profile = tmp_path / "mine.toml"
    profile.write_text("[text_to_image]\nmodel = 'owner/painter'\n[params.imagen_editor]\nnum_steps = 3\n")
    with pytest.raises(BadInputError, match="section imagen_editor: .* names no model for the role 'detector'"):
        check_params(load_params(None, str(profile)), tmp_path, None, [stage_named("imagen_editor")])


@pytest.mark.parametrize("place", ["table.csv", "table.csv/deep", "/proc/project"])
def test_a_project_that_cannot_have_a_folder_is_refused_in_one_line(tmp_path, place):
    (tmp_path / "table.csv").write_text("mine")
    with pytest.raises(BadInputError, match="cannot be made"):
        run_stage("captions", Params(), tmp_path / place)
    assert (tmp_path / "table.csv").read_text() == "mine"
