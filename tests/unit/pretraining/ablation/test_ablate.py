"""All arms on random models: same quadruples, tables, and nothing made twice."""

import json

import pytest
import tiny_llava
import tiny_painter
import tiny_sdxl

from editfoundry.data.record import Quadruple
from editfoundry.data.shards import count_triplets, read_triplets
from editfoundry.data.tables import write_rows
from editfoundry.errors import BadInputError, UnavailableError
from editfoundry.execution.output_lock import output_lock
from editfoundry.lineage.params import Params
from editfoundry.pretraining.ablation import run_ablation
from editfoundry.pretraining.ablation.table import ablation_markdown, terminal_table
from editfoundry.synthesis.editworld_text.config import TextBranchConfig

CLOCK = "a melting white clock on the right on a beach"
QUADRUPLES = [
    ("an ice cube on a beach", "Heat the ice cube.", "a melted ice cube on a beach"),
    ("a boat", "Sink it.", "a wreck"),
    (f"an ice cube on the left and {CLOCK}", "Heat it.", f"a melted ice cube on the left and {CLOCK}"),
    ("an ice cube on the left on a beach", "Heat it.", "a melted ice cube on the left on a beach"),
]
CONFIG = TextBranchConfig(
    num_input_candidates=2, num_output_candidates=2, num_refined_candidates=1, num_inference_steps=1,
    records_per_batch=1, attention_resolution=8, num_judged_candidates=1,
)  # fmt: skip


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("quadruples")
    rows = [
        Quadruple(
            input_caption=before,
            instruction=instruction,
            output_caption=after,
            category="Physical-Trans",
            keywords=(before.split()[1],),
        )
        for before, instruction, after in QUADRUPLES
    ]
    write_rows(folder / "00000.parquet", rows, Quadruple)
    return folder


@pytest.fixture(scope="module")
def params(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    branch = tiny_sdxl.save_branch(folder, tiny_painter.tiny_painter())
    judge = tiny_llava.saved_profile(folder, tiny_llava.tiny_llava())
    branch.write_text(branch.read_text() + judge.read_text())
    return Params(profile=str(branch), device="cpu", editworld_text=CONFIG)


@pytest.fixture(scope="module")
def ran(params, source, tmp_path_factory):
    output = tmp_path_factory.mktemp("ablation") / "out"
    calls = []
    return output, run_ablation(params, source, output, 2, lambda *c: calls.append(c)), calls


def test_every_arm_is_made_of_the_same_quadruples_with_a_known_outcome(ran):
    output, summary, calls = ran
    assert (summary["num_quadruples"], summary["num_passed_over"], summary["left_out"]) == (2, 1, {})
    names = [arm["name"] for arm in summary["arms"]]
    assert names == ["full", "without-mask", "without-refinement", "without-judge", "n-1", "n-10"]
    for name in names:
        captions = [triplet.input_caption for triplet in read_triplets(output / name)]
        assert captions == [QUADRUPLES[0][0], QUADRUPLES[2][0]]
    assert list(dict.fromkeys(calls)) == [(done, 12) for done in range(13)]


def test_arms_share_their_noise(ran):
    output, _, _ = ran
    first, second = (list(read_triplets(output / name)) for name in ("full", "without-refinement"))
    for one, other in zip(first, second, strict=True):
        assert one.input_image.tobytes() == other.input_image.tobytes()
        assert one.output_image.tobytes() != other.output_image.tobytes()


def test_json_and_page_hold_each_arms_numbers(ran):
    output, summary, _ = ran
    assert json.loads((output / "ablation.json").read_text()) == json.loads(json.dumps(summary))
    page = (output / "ablation.md").read_text()
    assert page == ablation_markdown(summary)
    for arm in summary["arms"]:
        assert f"| {arm['title']} | 2 |" in page
        assert arm["right_share"]["n"] == 2 and arm["identity"]["n"] == 1 and arm["seconds_per_triplet"] > 0
    assert terminal_table(summary).row_count == 6


def test_a_second_run_makes_nothing_and_says_the_same(ran, params, source, monkeypatch):
    output, summary, _ = ran
    monkeypatch.setattr("editfoundry.synthesis.editworld_text.stage.load_branch", lambda *_: pytest.fail("loaded"))
    assert run_ablation(params, source, output, 2) == summary


def test_a_shard_that_is_gone_is_made_again_and_the_others_stay(ran, params, source):
    output, _, _ = ran
    kept, gone = (output / "n-1" / f"0000{number}.tar" for number in (0, 1))
    before, bytes_gone = kept.stat().st_mtime_ns, gone.read_bytes()
    gone.unlink()
    run_ablation(params, source, output, 2)
    assert kept.stat().st_mtime_ns == before and gone.read_bytes() == bytes_gone
    assert count_triplets(output / "n-1") == 2


def test_an_ablation_that_somebody_is_at_work_on_is_left_alone(params, source, tmp_path):
    with output_lock(tmp_path / "out", "another"), pytest.raises(UnavailableError, match="another is at work on it"):
        run_ablation(params, source, tmp_path / "out", 2)
    assert not (tmp_path / "out").exists()


def test_quadruples_without_a_known_outcome_are_refused(params, tmp_path):
    rows = [
        Quadruple(input_caption="a boat", instruction="x", output_caption="a ship", keywords=("boat",), category="")
    ]
    write_rows(tmp_path / "in" / "00000.parquet", rows, Quadruple)
    with pytest.raises(BadInputError, match="known outcome"):
        run_ablation(params, tmp_path / "in", tmp_path / "out", 2)
