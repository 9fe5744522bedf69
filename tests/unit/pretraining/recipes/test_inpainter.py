"""The embedded inpainter's recipe: the painter, widened, of which the outer levels are trained."""

from pathlib import Path

import torch
from safetensors.torch import load_file

from editfoundry.editors.editing_defaults import read_editing_defaults
from editfoundry.editors.open_editor import open_editor
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.pretraining.pretrain import pretrain
from editfoundry.pretraining.recipes.inpainter import SAMPLING
from editfoundry.pretraining.weight_shards import INPAINTER_PARTS
from editfoundry.profiles import EMBEDDED_FOLDER

PAINTER = EMBEDDED_FOLDER / "text_to_image"


def test_it_is_trained_and_shares_with_the_painter_what_is_not(tmp_path: Path) -> None:
    settings = {"batch_size": 2, "num_warmup_steps": 0}
    pretrain("inpainter", tmp_path / "work", 1, "cpu", out=tmp_path / "out", is_tracked=False, num_examples=4,
             settings=settings)  # fmt: skip
    folder = tmp_path / "out" / "inpainter"
    assert read_editing_defaults(folder) == SAMPLING
    shards = [file.read_bytes() for file in sorted((folder / "unet").glob("*.safetensors"))]
    painters = [file.read_bytes() for file in sorted((PAINTER / "unet").glob("*.safetensors"))]
    assert len(shards) == 3 and shards[2] == painters[2]
    own, before = (load_file(sorted((place / "unet").glob("*.safetensors"))[1]) for place in (folder, PAINTER))
    assert own.keys() == before.keys()
    assert {name.split(".")[0] for name in own} == {part.split(".")[0] for part in INPAINTER_PARTS}
    assert any(not torch.equal(value, before[name]) for name, value in own.items())
    editor = open_editor(str(folder), choose_runtime("cpu"))
    assert editor.options.num_inference_steps == SAMPLING.options["num_inference_steps"]


def test_the_shipped_one_lies_on_disk_once_with_the_painter() -> None:
    unet = EMBEDDED_FOLDER / "inpainter" / "unet"
    own = [file.resolve().parent == unet.resolve() for file in sorted(unet.glob("*.safetensors"))]
    assert own == [True, True, False]
