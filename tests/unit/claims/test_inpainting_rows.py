"""The rows about Imagen Editor: arms that are trained here, arms that must lie ready, and what a seam is."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_painter import save_models

from editfoundry.claims import inpainters
from editfoundry.claims.ledger import run_ledger
from editfoundry.claims.rows.inpainting import BAND, seam_error
from editfoundry.lineage.claims_config import ClaimsConfig
from editfoundry.lineage.params import Params

TINY = ClaimsConfig(
    num_inpainting_items=6,
    num_inpainting_pictures=6,
    num_inpainting_steps=1,
    training_batch_size=4,
    num_inference_steps=1,
)
NAMES = ["imagen-object-masking", "imagen-learned-downsampling", "imagen-oscillating-guidance"]


@pytest.fixture(scope="module")
def params(tmp_path_factory: pytest.TempPathFactory) -> Params:
    return Params(profile=str(save_models(tmp_path_factory.mktemp("claims"))), device="cpu", claims=TINY)


def test_both_maskings_are_trained_alike_and_compared_by_attribute_and_size_of_the_mask(
    params: Params, tmp_path: Path
) -> None:
    [row] = run_ledger(tmp_path / "out", params, only=NAMES[:1], work_dir=tmp_path / "work")["rows"]
    assert row["effect"]["n"] == 6 and row["controls"][0]["n"] == 6
    labels = [detail["label"] for detail in row["details"]]
    assert "Right object, gain" in labels
    assert any(label.startswith("Gain in ") for label in labels)
    assert len(list((tmp_path / "work" / "checkpoints").iterdir())) == 2
    # Six prompts decide nothing.
    assert row["verdict"] == "undecided"


def test_rows_whose_cascade_is_not_there_are_undecided_and_say_how_it_is_trained(
    params: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inpainters, "EMBEDDED_FOLDER", tmp_path / "none")
    rows = run_ledger(tmp_path / "out", params, only=NAMES[1:], work_dir=tmp_path / "work")["rows"]
    notes = {row["name"]: row["note"] for row in rows}
    assert "editfoundry tinyworld pretrain imagen_editor --downsampling bicubic --out" in notes[NAMES[1]]
    assert "editfoundry tinyworld pretrain imagen_editor trains it" in notes[NAMES[2]]
    assert {row["verdict"] for row in rows} == {"undecided"}


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
