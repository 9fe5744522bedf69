import json
from dataclasses import replace
from html import unescape
from types import SimpleNamespace

import numpy as np
import pytest
from html_outline import check_self_contained
from tiny_painter import save_models
from typer.testing import CliRunner

from editfoundry.claims.ledger import run_ledger
from editfoundry.claims.register import CLAIMS
from editfoundry.claims.rows import clip_filter
from editfoundry.claims.rows.video_data import NEVER_RIGHT
from editfoundry.claims.scores import BY_ANOTHER, ArmScores, gain, gain_by_another, specific_gain
from editfoundry.claims.triplets import TEXT_CATEGORIES, VIDEO_CATEGORIES, write_category_triplets, write_plain_triplets
from editfoundry.claims.workbench import Workbench
from editfoundry.cli.app import app
from editfoundry.data.output_folder import claim_output
from editfoundry.data.record import PLAIN_CATEGORIES
from editfoundry.data.shards import read_triplets
from editfoundry.errors import BadInputError
from editfoundry.evaluation import benchmark_run, editing_pass
from editfoundry.lineage.claims_config import ClaimsConfig
from editfoundry.lineage.params import Params
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.profiles import load_profile
from editfoundry.synthesis.instruct_pix2pix.painting import PairPainter
from editfoundry.tinyworld.benchmark import plain_cases

TINY = ClaimsConfig(
    num_world_items=8, num_plain_items=20, num_plain_training_items=20, num_guidance_items=20, num_category_items=2,
    num_caption_pairs=3, num_painted_pairs=3, num_candidates=2, num_training_triplets=8, num_training_steps=1,
    training_batch_size=4, num_inference_steps=1, num_plain_training_steps=1,
)  # fmt: skip


@pytest.fixture(scope="module")
def params(tmp_path_factory):
    profile = save_models(tmp_path_factory.mktemp("claims"))
    return Params(profile=str(profile), device="cpu", claims=TINY)


def test_a_claim_is_tested_end_to_end_and_its_arms_are_made_once(params, tmp_path, monkeypatch):
    edited = []
    real = editing_pass.edit_benchmark
    monkeypatch.setattr(benchmark_run, "edit_benchmark", lambda *a, **k: (edited.append(a[0].name), real(*a, **k))[1])
    names = ["editworld-beats-base", "editworld-every-category"]
    ledger = run_ledger(tmp_path / "out", params, only=names, work_dir=tmp_path / "work")
    # Base and the editor that is trained here, each with its control, once for both claims.
    assert len(edited) == 4
    rows = {row["name"]: row for row in ledger["rows"]}
    assert list(rows) == names
    overall = rows["editworld-beats-base"]
    assert overall["effect"]["n"] == 8
    # Every arm is edited by another item's instruction too.
    [control] = overall["controls"]
    assert control["label"] == BY_ANOTHER and control["n"] == 8
    assert overall["effect"]["low"] <= overall["effect"]["value"] <= overall["effect"]["high"]
    # One or two items a category decide nothing.
    assert rows["editworld-every-category"]["verdict"] == "undecided"
    assert len(rows["editworld-every-category"]["details"]) == 7

    again = run_ledger(tmp_path / "out", params, only=names[:1], work_dir=tmp_path / "work")
    assert again == ledger
    assert len(edited) == 4
    # These editors keep their own guidance.
    guided = replace(params, claims=replace(TINY, guidance_scale=2.0))
    run_ledger(tmp_path / "other", guided, only=names[:1], work_dir=tmp_path / "work")
    assert len(edited) == 4
    other = replace(params, claims=replace(TINY, num_inference_steps=2))
    run_ledger(tmp_path / "other", other, only=names[:1], work_dir=tmp_path / "work")
    assert len(edited) == 8
    assert json.loads((tmp_path / "out" / "ledger.json").read_text()) == ledger
    page, html = ((tmp_path / "out" / name).read_text() for name in ("ledger.md", "ledger.html"))
    shown = check_self_contained(html)
    # Of each claim four items, each with its input, both arms' edits and the truth.
    assert shown.tags.count("img") == 2 * 4 * 4 and "editworld-beats-base" in shown.ids
    assert all((tmp_path / "out" / image["file"]).is_file() for item in overall["pictures"] for image in item["images"])
    for text in (overall["verdict"], overall["metric"], overall["command"], BY_ANOTHER):
        assert text in page
        assert text in unescape(html)


def test_trainings_after_which_nobody_is_ever_right_decide_nothing(params, tmp_path):
    only = ["editworld-video-adds-spatial"]
    [row] = run_ledger(tmp_path / "out", params, only=only, work_dir=tmp_path / "work")["rows"]
    assert row["verdict"] == "undecided" and row["note"] == NEVER_RIGHT
    assert [detail["value"] for detail in row["details"][-4:-2]] == [0, 0]


def test_an_editor_is_sampled_as_the_ledger_says_or_with_the_guidance_of_its_folder(tmp_path):
    profile = load_profile("embedded")
    bench = Workbench(profile, choose_runtime("cpu"), replace(TINY, guidance_scale=7.0), tmp_path)
    names = ("num_inference_steps", "guidance_scale", "image_guidance_scale")
    ledgers, own, given = (
        {name: contestant.settings[name] for name in names}
        for contestant in (
            bench.contestant("base"),
            bench.contestant("base", own_guidance=True),
            bench.contestant("base", {"guidance_scale": 3.0}, own_guidance=True),
        )
    )
    assert list(ledgers.values()) == [1, 7.0, TINY.image_guidance_scale]
    assert list(own.values()) == [1, 1.5, 1.0] and list(given.values()) == [1, 3.0, 1.0]


def test_claims_whose_models_are_missing_are_undecided_and_say_which(params, tmp_path):
    names = ["editworld-mllm-orders-editors", "editworld-post-edit-preserves"]
    rows = run_ledger(tmp_path / "out", params, only=names, work_dir=tmp_path / "work")["rows"]
    notes = {row["name"]: row["note"] for row in rows}
    assert {row["verdict"] for row in rows} == {"undecided"}
    assert "vision_language_model" in notes[names[0]]
    assert "segmenter" in notes[names[1]]


def test_candidates_are_painted_once_and_go_on_where_they_stopped(params, tmp_path, monkeypatch):
    painted, real = [], PairPainter.paint
    monkeypatch.setattr(
        PairPainter,
        "paint",
        lambda self, pairs, c: (painted.extend(p.input_caption for p in pairs), real(self, pairs, c))[1],
    )

    def run():
        return run_ledger(tmp_path / "out", params, only=["ip2p-clip-filter"], work_dir=tmp_path / "work")["rows"][0]

    row = run()
    assert len(painted) == 3
    assert (row["effect"]["n"], row["verdict"]) == (3, "undecided")
    lost = sorted((tmp_path / "work" / "candidates").glob("*/*.json"))[1]
    measured = lost.read_text()
    lost.unlink()
    assert run() == row
    assert len(painted) == 4
    assert json.loads(lost.read_text())["direction"] == pytest.approx(json.loads(measured)["direction"], abs=1e-2)


def test_arms_that_differ_in_training_share_the_papers_own_and_differ_in_what_the_claim_says(params, tmp_path):
    names = ["ip2p-conditioning-dropout", "ip2p-zero-channels", "ip2p-fine-tuning", "ip2p-one-draw", "ip2p-more-data"]
    ledger = run_ledger(tmp_path / "out", params, only=names, work_dir=tmp_path / "work")
    assert [row["name"] for row in ledger["rows"]] == names
    assert all(row["effect"]["n"] == TINY.num_plain_training_items for row in ledger["rows"])
    told = [
        json.loads(path.read_text())["config"] for path in (tmp_path / "work" / "checkpoints").glob("*/training.json")
    ]
    # Four share one arm; that of one draw has a pair of its own.
    assert len(told) == 7
    assert sorted(c["conditioning_dropout"] for c in told)[:2] == [0.0, 0.05]
    for name, value in (("image_channels", "random"), ("from_scratch", True), ("augment_apart", True)):
        assert sum(config.get(name) == value for config in told) == 1
    assert sum(config["random_crop"] for config in told) == 2
    assert {config["num_steps"] for config in told} == {1}


def test_a_tenth_of_the_plain_edits_are_the_first_ones_of_all(tmp_path):
    write_plain_triplets(tmp_path / "all", 20, 0)
    write_plain_triplets(tmp_path / "tenth", 2, 0)
    every, few = (list(read_triplets(tmp_path / name / "00000.tar")) for name in ("all", "tenth"))
    assert [t.id for t in few] == [t.id for t in every[:2]] and len(every) == 20
    assert {triplet.category for triplet in every} <= set(PLAIN_CATEGORIES)


def test_ways_of_painting_pairs_are_painted_once_and_the_independent_one_is_of_two_noises(
    params, tmp_path, monkeypatch
):
    painted, paint = [], PairPainter.paint
    monkeypatch.setattr(PairPainter, "paint", lambda self, pairs, c: (painted.append(c), paint(self, pairs, c))[1])
    names = ["ip2p-prompt-to-prompt", "ip2p-shared-noise"]
    ledger = run_ledger(tmp_path / "out", params, only=names, work_dir=tmp_path / "work")
    assert [c.max_share for c in painted] == [0.9, 0.0] * 3
    sharing, noise = ledger["rows"]
    assert sharing["effect"]["n"] == noise["effect"]["n"] == 3
    assert sharing["controls"] == noise["controls"] and sharing["verdict"] == "undecided"
    # Both are compared with the same independent paintings, which one noise is nearer to.
    assert sharing["details"][0] == noise["details"][0] and noise["effect"]["value"] > 0


def test_arms_are_trained_on_the_categories_of_their_branches(tmp_path):
    for name, branches in (("text", [TEXT_CATEGORIES]), ("both", [TEXT_CATEGORIES, VIDEO_CATEGORIES])):
        write_category_triplets(tmp_path / name, 24, branches, seed=0)
    text, both = ({t.category for t in read_triplets(tmp_path / name)} for name in ("text", "both"))
    assert text <= {*TEXT_CATEGORIES, *PLAIN_CATEGORIES}
    assert "Spatial-Trans" in both - text


def test_the_command_lists_claims_and_refuses_unknown_ones(params, tmp_path):
    listed = CliRunner().invoke(app, ["claims", "--list"]).output
    assert all(name in listed for name in CLAIMS)
    with pytest.raises(BadInputError, match="ip2p-clip-filter"):
        run_ledger(tmp_path / "out", params, only=["ip2p"], work_dir=tmp_path / "work")
    with pytest.raises(BadInputError, match="num_world_items"):
        ClaimsConfig(num_world_items=0)


def _arm(own, by_another):
    values = {name: {"right": np.array(given, dtype=float)} for name, given in (("own", own), ("other", by_another))}
    ids, categories = ("a", "b", "c", "d"), ("Long-Term", "Long-Term", "Story-Type", "Story-Type")
    return ArmScores(
        run=None, ids=ids, categories=categories, groups=np.arange(4), values=values["own"], by_another=values["other"]
    )


def test_what_is_gained_by_any_instruction_is_no_specific_gain():
    before = _arm([0, 0, 0, 0], [0, 0, 0, 0])
    blind = _arm([1, 1, 1, 1], [1, 1, 1, 1])
    knows = _arm([1, 1, 1, 1], [0, 0, 0, np.nan])
    assert [measure(before, blind, "right", 0).value for measure in (gain, gain_by_another, specific_gain)] == [1, 1, 0]
    specific = specific_gain(before, knows, "right", 0)
    assert (specific.value, specific.n) == (1, 3)
    assert specific_gain(before, knows, "right", 0, "Story-Type").n == 1
    with pytest.raises(ValueError, match="same items"):
        gain(before, replace(blind, ids=("a",)), "right", 0)


def test_items_of_one_group_are_drawn_together():
    before, after = _arm([0, 0, 0, 0], [0, 0, 0, 0]), _arm([1, 0, 1, 0], [0, 0, 0, 0])
    pairs = [replace(arm, groups=np.array([0, 0, 1, 1])) for arm in (before, after)]
    for measure in (gain, specific_gain):
        assert measure(before, after, "right", 0).low < 0.5
        # One of each pair is right: which pairs are drawn leaves nothing to chance.
        assert measure(*pairs, "right", 0).low == 0.5 == measure(*pairs, "right", 0).high
        assert measure(*pairs, "right", 0, "Story-Type").n == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not readable as JSON"),
        ("[]", "holds a JSON list"),
        ("{}", "no ledger"),
        ('{"rows": [3]}', "no ledger"),
        ('{"rows": [{"name": "a"}]}', "no ledger"),
    ],
)
def test_a_damaged_ledger_is_named(params, tmp_path, content, message):
    claim_output(tmp_path / "out", "claims")
    (tmp_path / "out" / "ledger.json").write_text(content)
    with pytest.raises(BadInputError, match=f"ledger.json: {message}"):
        run_ledger(tmp_path / "out", params, only=["ip2p-clip-filter"], work_dir=tmp_path / "work")


def test_rows_of_two_profiles_are_not_mixed(params, tmp_path):
    names = "name paper claim arms metric rule effect verdict controls details note limits command"
    row = {**dict.fromkeys(names.split(), ""), "profile": "paper"}
    claim_output(tmp_path / "out", "claims")
    (tmp_path / "out" / "ledger.json").write_text(json.dumps({"rows": [row]}))
    with pytest.raises(BadInputError, match="has rows of the profile 'paper'; give those of .* another folder"):
        run_ledger(tmp_path / "out", params, only=["ip2p-clip-filter"], work_dir=tmp_path / "work")


def test_a_caption_pair_is_controlled_by_one_that_changes_another_thing():
    cases = plain_cases(6, 0)
    for place, case in enumerate(cases):
        assert clip_filter.another_case(cases, place).changes != case.changes
    assert clip_filter.another_case(cases[:1], 0) is cases[0]


def test_what_a_picture_scores_that_is_the_input_itself_is_capped():
    bounds = {"a": {"input": {"preservation_psnr": np.inf}}, "b": {"input": {"preservation_psnr": 31.0}}}
    arm = replace(_arm([0] * 4, [0] * 4), run=SimpleNamespace(bounds=bounds))
    assert arm.of_picture("input", "preservation_psnr").tolist()[:2] == [60.0, 31.0]
    assert np.isnan(arm.of_picture("input", "preservation_psnr")[2:]).all()
