from pathlib import Path

import pytest

from editfoundry.editors.post_edit.post_edit_config import PostEditConfig
from editfoundry.errors import BadInputError
from editfoundry.evaluation.report_params import ReportParams
from editfoundry.lineage.params import Params, load_params, with_overrides
from editfoundry.profiles import load_profile


def test_a_reports_post_edit_starts_from_the_profiles_settings(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("[post_edit]\ntau = 1.5\nstrength = 0.25\n")
    profile = load_profile(tmp_path / "mine.toml")
    assert ReportParams().post_edit_config(profile) is None
    asked = ReportParams().asking_for_post_edit().post_edit_config(profile)
    assert asked == PostEditConfig(tau=1.5, strength=0.25)
    own = ReportParams(post_edit={"strength": 0.5}).asking_for_post_edit().post_edit_config(profile)
    assert own == PostEditConfig(tau=1.5, strength=0.5)
    with pytest.raises(BadInputError, match="unknown setting 'tua' in post_edit"):
        ReportParams(post_edit={"tua": 1}).post_edit_config(profile)


def test_a_reports_post_edit_is_read_from_the_file_and_from_overrides(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("editworld_report:\n  post_edit: {strength: 0.5}\n")
    params = load_params(tmp_path / "params.yaml")
    assert params.editworld_report.post_edit == {"strength": 0.5}
    changed = with_overrides(params, "editworld_report", {"post_edit": {"tau": 1.0}})
    assert changed.editworld_report.post_edit == {"strength": 0.5, "tau": 1.0}
    assert Params().editworld_report.post_edit is None
