"""The ledger's rows about MGIE: of arms that a person names, and of arms that are trained here."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_llava import saved_profile, tiny_llava
from tiny_mgie import tiny_mgie_folder
from tiny_models import tiny_pipeline
from tiny_painter import save_models

from editfoundry.claims.ledger import run_ledger
from editfoundry.claims.rows.mgie import TEXT_ONLY, _at_least
from editfoundry.claims.rows.mgie_trade_off import height_above
from editfoundry.errors import BadInputError
from editfoundry.evaluation.bootstrap import Interval
from editfoundry.lineage.claims_config import ClaimsConfig
from editfoundry.lineage.params import Params
from editfoundry.pretraining.recipes import mgie as recipe

TINY = ClaimsConfig(
    num_ambiguous_items=20, num_plain_items=20, num_inference_steps=1, num_training_triplets=4,
    num_training_steps=1, num_ambiguous_training_steps=1, training_batch_size=2,
)  # fmt: skip


@pytest.fixture(scope="module")
def params(tmp_path_factory: pytest.TempPathFactory) -> Params:
    folder = tmp_path_factory.mktemp("profile")
    profile = save_models(folder)
    saved_profile(folder, tiny_llava())
    profile.write_text(f'{profile.read_text()}[vision_language_model]\nmodel = "{folder / "vlm"}"\n')
    return Params(profile=str(profile), device="cpu", claims=TINY)


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("arms")
    for name in ("mgie", "mgie_lgie"):
        tiny_mgie_folder(folder / "made" / name, sees_picture=name == "mgie").rename(folder / name)
    tiny_pipeline().save_pretrained(folder / "mgie_baseline")
    return folder


def test_named_arms_are_compared_and_their_words_are_measured(params: Params, named: Path, tmp_path: Path) -> None:
    names = ["mgie-beats-ip2p", "mgie-beats-lgie", "mgie-keeps-plain-edits", "mgie-words-are-nearer"]
    ledger = run_ledger(tmp_path / "out", params, only=names, work_dir=tmp_path / "work", mgie=named)
    rows = {row["name"]: row for row in ledger["rows"]}
    assert list(rows) == names
    assert all(row["effect"]["n"] == 20 for row in rows.values())
    # Random editors are right nowhere, so that no gain is as large as it must be.
    assert rows["mgie-beats-ip2p"]["verdict"] == rows["mgie-beats-lgie"]["verdict"] == "does not hold"
    details = {detail["label"]: detail["value"] for detail in rows["mgie-beats-ip2p"]["details"]}
    assert 0 < details[TEXT_ONLY] < 1
    assert len(list((tmp_path / "work" / "arms").iterdir())) == 5
    assert not (tmp_path / "work" / "mgie").exists()


def test_an_arm_that_is_missing_is_one_line_that_says_how_to_train_it(
    params: Params, named: Path, tmp_path: Path
) -> None:
    with pytest.raises(BadInputError, match="mgie_ft: no editor; editfoundry tinyworld pretrain mgie_ft --out"):
        run_ledger(tmp_path / "out", params, only=["mgie-e2e-beats-ft"], work_dir=tmp_path / "work", mgie=named)


def test_an_editor_without_a_text_encoder_is_none_to_start_the_arms_at(
    params: Params, named: Path, tmp_path: Path
) -> None:
    with pytest.raises(BadInputError, match="mgie is an MGIE editor, but MGIE's claims start at one with a text"):
        run_ledger(
            tmp_path / "out", params, only=["mgie-beats-ip2p"], work_dir=tmp_path / "work", editor=named / "mgie"
        )


def test_arms_that_nobody_names_are_trained_here_for_the_same_steps(
    params: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = {"head_dim": 8, "head_layers": 1, "head_heads": 2, "head_feedforward_dim": 16}
    monkeypatch.setattr(recipe, "HEAD", sizes)
    few = replace(params, claims=replace(TINY, num_ambiguous_items=2))
    names = ["mgie-beats-ip2p", "mgie-e2e-beats-ft", "mgie-e2e-beats-fz", "mgie-expressive-beats-raw"]
    rows = run_ledger(tmp_path / "out", few, only=names, work_dir=tmp_path / "work")["rows"]
    assert [row["name"] for row in rows] == names
    trained = {path.parent.name for path in (tmp_path / "work" / "mgie").glob("*/training.json")}
    assert trained == {"mgie", "mgie_ft", "mgie_fz", "mgie_raw", "mgie_baseline"}


def test_a_curve_lies_above_another_by_its_height_where_both_reach() -> None:
    scales, items = np.linspace(0, 1, 7)[:, None], np.linspace(0, 0.01, 30)
    image = 0.5 + 0.3 * scales + items
    lower = (image, 0.4 - 0.2 * scales + items)
    # The same curve, higher by 0.05 and reached at other scales; one that shares no likeness with it; and itself.
    upper = (image + 0.06, 0.45 - 0.2 * (scales + 0.2) + items)
    found = height_above(lower, upper, seed=0)
    assert found.value == pytest.approx(0.05, abs=1e-6) and found.n == 30
    assert found.low is not None and found.low == pytest.approx(0.05, abs=2e-3)
    assert height_above(lower, (image + 2, lower[1]), seed=0).value is None
    assert height_above(lower, lower, seed=0).value == 0
    holed = lower[1].copy()
    holed[3, 4] = np.nan
    assert height_above((image, holed), upper, seed=0).n == 29


def test_the_trade_off_sweeps_both_arms(params: Params, named: Path, tmp_path: Path) -> None:
    few = replace(params, claims=replace(TINY, num_guidance_items=2))
    names = ["mgie-trade-off-above-ip2p"]
    [row] = run_ledger(tmp_path / "out", few, only=names, work_dir=tmp_path / "work", mgie=named)["rows"]
    assert row["verdict"] == "undecided" and row["effect"]["n"] <= 2
    assert len(list((tmp_path / "work" / "arms").iterdir())) == 2 * 7


def test_a_gain_that_is_too_small_does_not_hold_however_sure_it_is() -> None:
    sure = Interval(0.12, 0.08, 0.16, 100)
    assert _at_least("holds", sure, 0.1) == "holds"
    assert _at_least("holds", sure, 0.15) == "does not hold"
    assert _at_least("undecided", Interval(None, None, None, 0), 0.15) == "undecided"
    # Where any gain is enough, one whose interval has 0 in it decides nothing.
    assert _at_least("undecided", Interval(-0.02, -0.11, 0.07, 100), 0.0) == "undecided"
    assert np.isfinite(sure.low or np.nan)
