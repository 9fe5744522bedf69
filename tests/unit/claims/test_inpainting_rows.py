"""The rows about Imagen Editor: what trains their arms, what compares them, and what a seam is."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from tiny_painter import save_models

from editfoundry.claims.ledger import run_ledger
from editfoundry.claims.rows import inpainting_prompts
from editfoundry.claims.rows.inpainting import BAND, seam_error
from editfoundry.claims.scores import ArmScores
from editfoundry.editors.caption_training.object_masks import OBJECT_MASKS, RANDOM_MASKS
from editfoundry.editors.families.imagen_editor.masked_picture import MaskedPictureEncoder
from editfoundry.editors.families.imagen_editor.options import DOWNSAMPLINGS
from editfoundry.lineage.claims_config import ClaimsConfig
from editfoundry.lineage.params import Params

TINY = ClaimsConfig(
    num_inpainting_items=6,
    num_inpainting_pictures=6,
    num_inpainting_steps=1,
    training_batch_size=4,
    num_inference_steps=1,
)
MASKING = ["imagen-object-masking"]
CASCADES = ["imagen-learned-downsampling", "imagen-oscillating-guidance"]
OF_SAME_ARMS = ["imagen-small-masks", "imagen-attributes"]
NUM_HOLES = 40


@pytest.fixture(scope="module")
def params(tmp_path_factory: pytest.TempPathFactory) -> Params:
    return Params(profile=str(save_models(tmp_path_factory.mktemp("claims"))), device="cpu", claims=TINY)


def test_both_maskings_are_trained_alike_and_compared_by_attribute_and_size_of_the_mask(
    params: Params, tmp_path: Path
) -> None:
    [row] = run_ledger(tmp_path / "out", params, only=MASKING, work_dir=tmp_path / "work")["rows"]
    assert row["effect"]["n"] == 6 and row["controls"][0]["n"] == 6
    labels = [detail["label"] for detail in row["details"]]
    assert "Right object, gain" in labels
    assert any(label.startswith("Gain in ") for label in labels)
    assert len(list((tmp_path / "work" / "checkpoints").iterdir())) == 2
    # Six prompts decide nothing.
    assert row["verdict"] == "undecided"
    # The other rows about masks take the same two.
    run_ledger(tmp_path / "out", params, only=OF_SAME_ARMS, work_dir=tmp_path / "work")
    assert len(list((tmp_path / "work" / "checkpoints").iterdir())) == 2


def arm(rights: dict[str, list[float]], is_blind: bool = False, group_size: int = 1) -> ArmScores:
    """Return an arm that is never right by another's instruction, or, blind to instructions, as often as by its own.

    Of each group there are ``group_size`` items, one after the other.
    """
    values = {name: np.array(of_items, dtype=float) for name, of_items in rights.items()}
    ids = tuple(map(str, range(len(values["right"]))))
    others = values if is_blind else {name: own * 0 for name, own in values.items()}
    groups = np.arange(len(ids)) // group_size
    return ArmScores(run=None, ids=ids, categories=ids, groups=groups, values=values, by_another=others)


def stand_in(monkeypatch: pytest.MonkeyPatch, masks: list[str], random: ArmScores, named: ArmScores) -> None:
    """Let arms that nobody trained stand in for those of both maskings; ``masks`` has the size of each item's."""
    items = [SimpleNamespace(parts={"mask": size}) for size in masks]
    monkeypatch.setattr(inpainting_prompts, "holes", lambda bench: SimpleNamespace(items=items))
    arms = {RANDOM_MASKS: random, OBJECT_MASKS: named}
    monkeypatch.setattr(inpainting_prompts, "masking_arm", lambda bench, shares, benchmark: arms[shares])


def test_what_small_masks_gain_more_than_larger_ones_is_told_by_whole_holes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Three prompts about each hole, every second one small; in each one prompt is gained, in small ones two.
    masks = ["small" if n % 2 else "large" for n in range(NUM_HOLES) for _ in range(3)]
    random = arm({"right": [0.0] * 3 * NUM_HOLES}, group_size=3)
    named = arm({"right": [0, 0, 1, 0, 1, 1] * (NUM_HOLES // 2)}, group_size=3)
    stand_in(monkeypatch, masks, random, named)
    finding = inpainting_prompts.SMALL_MASKS_SUFFER.test(SimpleNamespace(config=TINY))
    assert finding.verdict == "holds" and finding.effect.value == pytest.approx(1 / 3)
    # All small holes gain alike, and so do all large ones: drawn as wholes, they leave nothing to chance.
    assert finding.effect.low == pytest.approx(1 / 3) == finding.effect.high
    assert finding.controls[0].interval.value == 0
    levels = {detail.label: detail.interval.value for detail in finding.details}
    assert levels["Right in small masks, object"] == pytest.approx(2 / 3)
    assert levels["Right in larger masks, random"] == 0
    stand_in(monkeypatch, masks, random, arm({"right": list(named.of("right"))}, is_blind=True, group_size=3))
    assert inpainting_prompts.SMALL_MASKS_SUFFER.test(SimpleNamespace(config=TINY)).verdict == "does not hold"


@pytest.mark.parametrize(
    ("shape", "is_blind", "verdict"),
    [(0.0, False, "holds"), (1.0, False, "does not hold"), (0.0, True, "does not hold")],
)
def test_attributes_are_held_against_each_other_over_what_prompts_ask_for(
    monkeypatch: pytest.MonkeyPatch, shape: float, is_blind: bool, verdict: str
) -> None:
    count, nan = 2 * NUM_HOLES, float("nan")
    named = arm(
        {
            "right": [0.0] * count,
            "right_colour": [1.0, nan] * NUM_HOLES,
            "right_shape": [nan, shape] * NUM_HOLES,
            "right_object": [0.0] * count,
        },
        is_blind,
        group_size=2,
    )
    stand_in(monkeypatch, ["small"] * count, named, named)
    finding = inpainting_prompts.ATTRIBUTES_DIFFER.test(SimpleNamespace(config=TINY))
    assert finding.effect.value == pytest.approx(1 - shape) and finding.effect.n == count
    assert finding.verdict == verdict


def test_cascades_are_trained_alike_once_and_compared_at_the_border_and_by_guidance(tmp_path: Path) -> None:
    tiny = replace(TINY, num_cascade_steps=1, num_cascade_pictures=4)
    params = Params(profile="embedded", device="cpu", claims=tiny)
    out, work_dir = tmp_path / "out", tmp_path / "work"
    seams, guidance = run_ledger(out, params, only=CASCADES, work_dir=work_dir)["rows"]
    assert {seams["verdict"], guidance["verdict"]} == {"undecided"}
    # After one step nothing is painted rightly, so that there is no alignment to lose.
    assert guidance["note"].startswith("The cascade paints less than")
    # Two of six prompts are about whole holes; guidance is compared on all.
    assert seams["effect"]["n"] == seams["controls"][0]["n"] == 2 and guidance["effect"]["n"] == 6
    [trained] = (work_dir / "cascades").iterdir()
    encoders = {name: MaskedPictureEncoder.from_pretrained(trained / name / "mask_encoder") for name in DOWNSAMPLINGS}
    assert all(encoder.config.downsampling == name for name, encoder in encoders.items())
    before = {path: path.stat().st_mtime_ns for path in trained.glob("*/unet/*")}
    run_ledger(out, params, only=CASCADES, work_dir=work_dir)
    assert before and before == {path: path.stat().st_mtime_ns for path in trained.glob("*/unet/*")}


def test_rows_about_cascades_are_undecided_with_another_text_encoder(params: Params, tmp_path: Path) -> None:
    rows = run_ledger(tmp_path / "out", params, only=CASCADES, work_dir=tmp_path / "work")["rows"]
    assert {row["verdict"] for row in rows} == {"undecided"}
    assert all(row["note"].endswith("use the profile embedded") for row in rows)


def test_a_seam_is_the_error_within_the_border_of_the_hole() -> None:
    truth, hole = Image.new("RGB", (16, 16)), np.zeros((16, 16), dtype=bool)
    hole[4:12, :8] = True
    edited = np.zeros((16, 16, 3), dtype=np.uint8)
    edited[4, :8] = 255
    band, rest = seam_error(Image.fromarray(edited), truth, hole)
    # Rows 4, 5, 10 and 11 of eight columns, and columns 6 and 7 between; the picture's own border counts for none.
    assert BAND == 2 and band == pytest.approx(8 / (4 * 8 + 4 * 2))
    assert rest == 0
    edited[:] = 0
    edited[7, 2] = 255
    assert seam_error(Image.fromarray(edited), truth, hole) == (0, pytest.approx(1 / 24))
