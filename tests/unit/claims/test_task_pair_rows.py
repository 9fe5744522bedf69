"""The rows about Emu Edit's pairs: on candidates that are told, and end to end on random models."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tiny_emu
from tiny_emu import CONFIG, OPEN

from editfoundry.claims import task_candidates
from editfoundry.claims.ledger import run_ledger
from editfoundry.claims.rows import task_pairs
from editfoundry.claims.rows.task_pairs import ATTENTION_WITHIN_MASKS, EACH_FILTER_HELPS, THREE_MASKS, kept_and_right
from editfoundry.claims.task_candidates import JudgedCandidate
from editfoundry.claims.workbench import Workbench
from editfoundry.lineage.claims_config import ClaimsConfig
from editfoundry.lineage.params import Params
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.profiles import load_profile
from editfoundry.synthesis.emu_edit.masks import region_masks
from editfoundry.synthesis.emu_edit.task_settings import MASK_KINDS, InpaintingSettings, RegionSettings

TINY = ClaimsConfig(num_task_pairs=4, num_inference_steps=2)
NAMES = ["emu-three-masks", "emu-mask-attention", "emu-filters"]


def candidate(
    draw: int = 0, mask: str = "precise", right: bool = False, worth: float = 0.0, *against: str
) -> JudgedCandidate:
    return JudgedCandidate(draw=draw, mask=mask, right=right, psnr=20.0, worth=worth, against=against)


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    profile = load_profile(tiny_emu.save_models(tmp_path / "models"))
    return Workbench(profile, choose_runtime("cpu"), TINY, tmp_path / "work")


def told(monkeypatch: pytest.MonkeyPatch, edits: list[list[JudgedCandidate]]) -> None:
    monkeypatch.setattr(task_pairs, "task_candidates", lambda bench: edits)


def test_the_best_that_passes_counts_and_nothing_that_passes_counts_as_wrong() -> None:
    assert kept_and_right([candidate(right=True, worth=1.0), candidate(right=False, worth=2.0)]) == 0
    assert kept_and_right([candidate(0, "box", True, 1.0), candidate(0, "box", False, 2.0, "depth")]) == 1
    assert kept_and_right([candidate(0, "box", True, 1.0, "CLIP")]) == kept_and_right([]) == 0


def test_three_masks_are_set_beside_as_many_first_pictures(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    # The precise mask never does, whatever picture it is of; the box around the first one does in two of three edits.
    precise = [candidate(draw, "precise", False, 1.0) for draw in range(3)]
    boxes = [[candidate(0, "box", number % 3 > 0, 2.0)] for number in range(60)]
    told(monkeypatch, [[*precise, *own] for own in boxes])
    found = THREE_MASKS.test(bench)
    assert found.verdict == "holds" and found.effect.value == pytest.approx(2 / 3)
    assert found.controls[0].interval.value == 0
    told(monkeypatch, [[*precise, candidate(1, "box", True, 2.0)]] * 60)
    assert THREE_MASKS.test(bench).verdict == "does not hold"


def test_a_filter_is_judged_by_what_it_drops_alone(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)

    def edits(right_of_dropped: float) -> list[list[JudgedCandidate]]:
        return [
            [
                candidate(0, "box", bool(random.random() < 0.8)),
                candidate(0, "box", bool(random.random() < right_of_dropped), 0.0, "depth"),
                candidate(0, "box", bool(random.random() < 0.2), 0.0, "CLIP"),
                candidate(0, "box", True, 0.0, "CLIP", "depth"),
            ]
            for _ in range(100)
        ]

    told(monkeypatch, edits(0.2))
    found = EACH_FILTER_HELPS.test(bench)
    assert found.verdict == "holds" and found.effect.n == 100
    labels = [detail.label for detail in found.details]
    assert labels[:2] == [f"Kept minus what {name} alone drops" for name in ("CLIP", "depth")]
    # One that drops what is as good as the rest takes the claim with it.
    told(monkeypatch, edits(1.0))
    found = EACH_FILTER_HELPS.test(bench)
    assert found.verdict == "does not hold" and found.effect.value < 0 < found.details[0].interval.value


def test_a_profile_without_a_detector_leaves_the_rows_undecided(tmp_path: Path) -> None:
    from tiny_painter import save_models

    params = Params(profile=str(save_models(tmp_path / "models")), device="cpu", claims=TINY)
    rows = run_ledger(tmp_path / "out", params, only=NAMES, work_dir=tmp_path / "work")["rows"]
    assert {row["verdict"] for row in rows} == {"undecided"} and all("detector" in row["note"] for row in rows)


def test_candidates_are_made_once_and_the_attention_arms_share_first_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = replace(
        CONFIG, region=RegionSettings(num_draws=1), inpainting=InpaintingSettings(num_draws=1), thresholds=OPEN,
        max_depth_difference=1.0, confirms=True,
    )  # fmt: skip
    profile = tiny_emu.save_models(tmp_path / "models")
    params = Params(profile=str(profile), device="cpu", claims=TINY, emu_edit_pairs=settings)
    batches, make = [], task_candidates.make_pairs

    def counted(models, edits, config):
        made = make(models, edits, config)
        batches.append((config, [[pair for pair in own if pair.rejection is None] for own in made]))
        return made

    monkeypatch.setattr(task_candidates, "make_pairs", counted)
    run_ledger(tmp_path / "out", params, only=NAMES, work_dir=tmp_path / "work")
    held = [own for config, made in batches if config.masks.kinds == MASK_KINDS for own in made]
    unheld = [own for config, made in batches if config.masks.kinds == MASK_KINDS[:1] for own in made]
    assert len(held) == 4 and len(unheld) == 2
    for one, other in zip(held[:2], unheld, strict=True):
        assert [pair.facts["mask"] for pair in one] == list(MASK_KINDS) and len(other) == 1
        assert one[0].before.tobytes() == other[0].before.tobytes()
        assert one[0].facts["guidance_scale"] == other[0].facts["guidance_scale"]
        assert region_masks(one[0].thing.outline, settings.masks).keys() == set(MASK_KINDS)
    count = len(batches)
    run_ledger(tmp_path / "again", params, only=NAMES, work_dir=tmp_path / "work")
    assert len(batches) == count
    next((tmp_path / "work" / "task_pairs").glob("*/00001.json")).unlink()
    run_ledger(tmp_path / "again", params, only=[ATTENTION_WITHIN_MASKS.name], work_dir=tmp_path / "work")
    assert len(batches) == count + 1 and len(batches[-1][1]) == 1
