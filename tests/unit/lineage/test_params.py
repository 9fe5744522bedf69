import dataclasses
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from editfoundry.editors.post_edit.post_edit_config import PostEditConfig
from editfoundry.errors import BadInputError
from editfoundry.evaluation.report_params import ReportParams
from editfoundry.lineage import params as params_module
from editfoundry.lineage.params import FURTHER_SECTIONS, Params, load_params, with_overrides
from editfoundry.lineage.params_file import params_text
from editfoundry.lineage.stages import STAGES
from editfoundry.profiles import load_profile


def test_a_reports_post_edit_starts_from_the_profiles_settings(tmp_path):
    (tmp_path / "mine.toml").write_text("[post_edit]\ntau = 1.5\nstrength = 0.25\n")
    profile = load_profile(tmp_path / "mine.toml")
    assert ReportParams().post_edit_config(profile) is None
    asked = ReportParams().asking_for_post_edit().post_edit_config(profile)
    assert asked == PostEditConfig(tau=1.5, strength=0.25)
    own = ReportParams(post_edit={"strength": 0.5}).asking_for_post_edit().post_edit_config(profile)
    assert own == PostEditConfig(tau=1.5, strength=0.5)
    with pytest.raises(BadInputError, match="unknown setting 'tua' in post_edit"):
        ReportParams(post_edit={"tua": 1}).post_edit_config(profile)


def test_a_reports_post_edit_is_read_from_the_file_and_from_overrides(tmp_path):
    (tmp_path / "params.yaml").write_text("editworld_report:\n  post_edit: {strength: 0.5}\n")
    params = load_params(tmp_path / "params.yaml")
    assert params.editworld_report.post_edit == {"strength": 0.5}
    changed = with_overrides(params, "editworld_report", {"post_edit": {"tau": 1.0}})
    assert changed.editworld_report.post_edit == {"strength": 0.5, "tau": 1.0}
    assert Params().editworld_report.post_edit is None


def test_there_is_a_section_for_each_stage_and_for_what_is_no_stage():
    sections = [field.name for field in dataclasses.fields(Params)]
    assert sections == ["profile", "device", *(stage.name for stage in STAGES), *FURTHER_SECTIONS]
    params = Params()
    assert all(isinstance(getattr(params, stage.name), stage.config) for stage in STAGES)


def test_parameters_are_compared_by_value_and_cross_into_other_processes():
    params = Params(device="cpu", editworld={"num_steps": 3})
    assert pickle.loads(pickle.dumps(params)) == params != Params(device="cpu")


def test_overrides_are_typed_reach_into_sections_and_leave_the_rest():
    changed = with_overrides(Params(), "captions", {"filters": {"max_punsafe": 1}})
    assert changed.captions.filters.max_punsafe == 1.0
    assert changed.captions.num_rows == Params().captions.num_rows
    with pytest.raises(BadInputError, match="captions.num_rows is 'many'"):
        with_overrides(Params(), "captions", {"num_rows": "many"})
    with pytest.raises(BadInputError, match="no section 'nowhere'"):
        with_overrides(Params(), "nowhere", {"num_rows": 1})


def test_overrides_of_a_section_that_is_a_mapping_change_that_section_alone(monkeypatch):
    """Today's only such section is ``editworld``; a second one must not be written into it."""
    both = {name: dict for name in ("editworld", "emu_edit")}
    fields = [(name, Mapping[str, Any], dataclasses.field(default_factory=dict)) for name in both]
    made = dataclasses.make_dataclass("Params", fields, frozen=True, kw_only=True)
    monkeypatch.setattr(params_module, "SECTIONS", both)
    before = made(editworld={"seed": 3}, emu_edit={"seed": 4, "text": {"a": 1, "b": 2}})
    changed = with_overrides(before, "emu_edit", {"num_steps": 2, "text": {"b": 3}})
    assert changed.editworld == {"seed": 3}
    assert changed.emu_edit == {"seed": 4, "num_steps": 2, "text": {"a": 1, "b": 3}}
    assert with_overrides(before, "editworld", {"num_steps": 2}).editworld == {"seed": 3, "num_steps": 2}


def test_the_file_has_the_last_word_then_the_profile_then_the_classes(tmp_path):
    (tmp_path / "mine.toml").write_text(
        "[params.dataset]\nthresholds = { clip_input = 0.3, clip_image = 0.6 }\n[params.editworld]\nnum_steps = 5\n"
    )
    (tmp_path / "params.yaml").write_text(
        f"profile: {tmp_path}/mine.toml\ndataset: {{thresholds: {{clip_input: 0.4}}}}\neditworld: {{seed: 2}}\n"
    )
    params = load_params(tmp_path / "params.yaml")
    thresholds = params.dataset.thresholds
    assert (thresholds.clip_input, thresholds.clip_image) == (0.4, 0.6)
    assert thresholds.clip_output == Params().dataset.thresholds.clip_output
    assert params.editworld == {"num_steps": 5, "seed": 2}


def test_with_another_profile_what_the_files_own_brought_gives_way_and_what_a_person_changed_stays(tmp_path):
    text = params_text("embedded").replace("attention_resolution: 16", "attention_resolution: 64")
    (tmp_path / "params.yaml").write_text(text)
    params = load_params(tmp_path / "params.yaml", "paper")
    assert params.profile == "paper"
    assert params.editworld_text.attention_resolution == 64
    assert params.editworld_text.num_inference_steps == load_params(None, "paper").editworld_text.num_inference_steps
    assert params.dataset == load_params(None, "paper").dataset
    assert load_params(tmp_path / "params.yaml").editworld_text.num_inference_steps == 10


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[params.datset]\n", "profile '.*mine.toml': params: unknown parameter datset"),
        ("[params.dataset]\nseed = 'x'\n", "profile '.*mine.toml': params: parameter dataset.seed is 'x'"),
        ("[params]\ndataset = 3\n", "params.dataset must be a table of settings"),
    ],
)
def test_a_wrong_parameter_of_a_profile_is_told_as_the_profiles(tmp_path, text, message):
    (tmp_path / "mine.toml").write_text(text)
    with pytest.raises(BadInputError, match=message):
        load_params(None, str(tmp_path / "mine.toml"))


@pytest.mark.parametrize("profile", ["embedded", "paper", "modern"])
def test_the_written_file_holds_what_the_profile_brings(tmp_path, profile):
    (tmp_path / "params.yaml").write_text(params_text(profile))
    assert load_params(tmp_path / "params.yaml") == load_params(None, profile)


def test_the_repositorys_own_file_is_the_embedded_profiles():
    """Change `profiles/embedded.toml`, then mend it with `editfoundry lineage write-params`."""
    assert (Path(__file__).parents[3] / "params.yaml").read_text() == params_text("embedded")
