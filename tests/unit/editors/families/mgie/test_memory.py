"""What a GPU needs to train an MGIE editor, told without loading one."""

import json
from pathlib import Path
from typing import Any, cast

import pytest
from safetensors.torch import load_file
from typer.testing import CliRunner

from editfoundry.cli.app import app
from editfoundry.editors.families.mgie.memory import memory_rows
from editfoundry.editors.families.mgie.model import load_mgie
from editfoundry.editors.families.mgie.training_config import MgieTraining
from editfoundry.editors.train import training_memory
from editfoundry.errors import BadInputError
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.pretrained.skeletons import build_skeleton
from editfoundry.pretraining.recipes.mgie import HEAD
from editfoundry.profiles import ModelReference, load_profile


def config_of(**settings: object) -> MgieTraining:
    values: dict[str, object] = {
        "editor": "package:editor_base", "mllm": "package:vision_language_model", "dataset": Path("x"),
        "output": Path("y"), "num_steps": 1, "batch_size": 8, "resolution": 64, "mixed_precision": "bf16", **HEAD,
    }  # fmt: skip
    return MgieTraining(**{**values, **settings})  # type: ignore[arg-type]


def test_each_setting_more_needs_less_memory_and_takes_it_from_where_it_says() -> None:
    rows = {row.label: row for row in memory_rows(config_of(), 1)}
    sizes = [row.num_bytes for row in rows.values()]
    assert sizes == sorted(sizes, reverse=True) and len(set(sizes)) == len(sizes) == 6
    whole, single = rows["as it is"], rows["and one sample at a time"]
    assert (whole.num_samples, single.num_samples) == (8, 1)
    told = "language model's pass"
    assert whole.parts[told] == pytest.approx(8 * single.parts[told], rel=0.01)
    eight_bit, on_cpu = rows["and optimizer: adamw_8bit"], rows["and ema_on_cpu: true"]
    assert eight_bit.parts["optimizer"] * 4 == single.parts["optimizer"] and on_cpu.parts["average"] == 0


def test_what_is_trained_is_counted_by_its_numbers() -> None:
    profile = load_profile("embedded")
    editor, llava = (build_skeleton(profile, role) for role in ("editor_base", "vision_language_model"))
    assert editor is not None and llava is not None
    unet = sum(p.numel() for p in editor.modules["unet"].parameters())
    table = llava.modules["model"].get_input_embeddings().weight.numel()  # type: ignore[operator, union-attr]
    for trains in (True, False):
        [row, *_] = memory_rows(config_of(mixed_precision="no", trains_mllm=trains), 1)
        head = row.parts["optimizer"] // 8 - unet - table * trains
        assert 600_000 < head < 900_000
        assert row.parts["gradients"] == row.parts["trained weights"] == row.parts["optimizer"] // 2
        assert row.parts["frozen weights"] == 4 * (llava.num_parameters - table * trains)
    [shared, *_] = memory_rows(config_of(), 2)
    assert shared.num_samples == 4 and shared.parts["gradients"] == 8 * (unet + head + table)


def test_what_does_not_train_takes_neither_gradients_nor_optimizer() -> None:
    profile = load_profile("embedded")
    editor, llava = (build_skeleton(profile, role) for role in ("editor_base", "vision_language_model"))
    assert editor is not None and llava is not None
    unet = sum(p.numel() for p in editor.modules["unet"].parameters())
    inner = cast(Any, llava.modules["model"]).model.language_model
    blocks = sum(p.numel() for part in (inner.layers, inner.norm) for p in part.parameters())
    whole, without_unet, with_blocks = (
        memory_rows(config_of(mixed_precision="no", **settings), 1)[0].parts
        for settings in ({}, {"trains_unet": False}, {"trains_mllm_blocks": True})
    )
    assert whole["optimizer"] - without_unet["optimizer"] == 8 * unet
    assert without_unet["frozen weights"] - whole["frozen weights"] == 4 * unet
    assert with_blocks["optimizer"] - whole["optimizer"] == 8 * blocks
    assert whole["frozen weights"] - with_blocks["frozen weights"] == 4 * blocks


def test_a_training_that_goes_on_from_a_checkpoint_is_counted_by_the_checkpoint_s_own_parts() -> None:
    folder = Path(ModelReference(role="editor_base", source="package:mgie").location)
    [row, *_] = memory_rows(config_of(editor="package:mgie", mllm="", mixed_precision="no"), 1)
    files = [folder / part / "diffusion_pytorch_model.safetensors" for part in ("edit_head", "unet")]
    head, unet = (sum(value.numel() for value in load_file(path).values()) for path in files)
    llava = load_mgie(folder, choose_runtime("cpu")).mllm.model
    table = llava.get_input_embeddings().weight.numel()
    assert row.parts["gradients"] == 4 * (head + unet + table)
    assert row.parts["frozen weights"] == 4 * (sum(p.numel() for p in llava.parameters()) - table)
    with pytest.raises(BadInputError, match="mllm names no language model, and package:editor_base is no MGIE editor"):
        memory_rows(config_of(mllm=""), 1)


def test_the_command_prints_the_rows_and_refuses_other_families(tmp_path: Path) -> None:
    path = tmp_path / "mgie.yaml"
    path.write_text(
        "family: mgie\neditor: package:editor_base\nmllm: package:vision_language_model\ndataset: x\noutput: y\n"
        "num_steps: 1\nbatch_size: 6\nresolution: 64\n"
    )
    shown = CliRunner().invoke(app, ["doctor", "--training", str(path), "--json"])
    rows = json.loads(shown.stdout)
    assert shown.exit_code == 0 and rows[0]["num_samples"] == 6 and "optimizer" in rows[0]["bytes"]
    table = CliRunner().invoke(app, ["doctor", "--training", str(path)]).stdout
    # Each setting by its number, in no more columns than a narrow terminal has.
    assert "6: and ema_on_cpu: true" in table and max(map(len, table.splitlines())) <= 80
    [samples] = [line.split() for line in table.splitlines() if "samples at a time" in line]
    assert samples[-6:] == ["6", "1", "1", "1", "1", "1"]
    with pytest.raises(BadInputError, match="batch_size is 6, which 4 processes of 1 accumulation steps cannot share"):
        memory_rows(config_of(batch_size=6), 4)
    from editfoundry.editors.families.instruct_pix2pix.training_config import InstructPix2PixTraining

    other = InstructPix2PixTraining(editor="x", dataset=Path("x"), output=Path("y"), num_steps=1)
    with pytest.raises(BadInputError, match="only of a training of the family mgie"):
        training_memory(other)
