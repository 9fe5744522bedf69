"""The recipe of the embedded Emu Edit editor: its data, and that it goes through the trainer."""

from __future__ import annotations

from pathlib import Path

import torch
from tiny_models import tiny_pipeline

from editfoundry.data.shards import read_triplets
from editfoundry.editors.open_editor import open_editor
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.pretraining.all_pretrainings import PRETRAININGS
from editfoundry.pretraining.job import Job
from editfoundry.pretraining.model_trainee import PretrainingConfig
from editfoundry.pretraining.pretrain import models_in
from editfoundry.pretraining.recipes import emu_edit
from editfoundry.pretraining.shipping import editor_saver
from editfoundry.tinyworld.tasks.task_sampling import MADE_TASKS

VAE_FILE = "vae/diffusion_pytorch_model.safetensors"
CONFIG = PretrainingConfig(num_steps=2, batch_size=2, num_warmup_steps=0)


def test_triplets_are_of_all_tasks_in_turns_and_finished_shards_stay(tmp_path: Path) -> None:
    emu_edit.write_task_edits(tmp_path, 2 * len(MADE_TASKS))
    assert [triplet.task for triplet in read_triplets(tmp_path)] == 2 * list(map(str, MADE_TASKS))
    before = (tmp_path / "00000.tar").stat().st_mtime_ns
    emu_edit.write_task_edits(tmp_path, 2 * len(MADE_TASKS))
    assert (tmp_path / "00000.tar").stat().st_mtime_ns == before


def test_another_data_seed_draws_other_triplets(tmp_path: Path) -> None:
    for seed in (0, 8000):
        emu_edit.write_task_edits(tmp_path / str(seed), 15, seed)
    drawn = [{triplet.id for triplet in read_triplets(tmp_path / name)} for name in ("0", "8000")]
    assert not drawn[0] & drawn[1]


def test_the_shipped_editor_starts_from_the_base_beside_it_and_trains_its_text_encoder_too(tmp_path: Path) -> None:
    out = tmp_path / "models"
    editor_saver(tiny_pipeline())(out / "editor_base")
    job = Job(
        work_dir=tmp_path,
        device=torch.device("cpu"),
        config=CONFIG,
        models=models_in(out),
        num_examples=len(MADE_TASKS),
    )
    saves, result = PRETRAININGS["emu_edit"].train(job)
    counts = saves["emu_edit"](out / "emu_edit")

    assert result.num_steps == 2 and counts["task_embeddings"] == 16 * 16
    own, bases = (
        {file: (out / name / file).read_bytes() for file in ("text_encoder/model.safetensors", VAE_FILE)}
        for name in ("emu_edit", "editor_base")
    )
    # Equal files lie on disk once, see `shared_files`.
    assert [file for file in own if own[file] == bases[file]] == [VAE_FILE]
    editor = open_editor(str(out / "emu_edit"), choose_runtime("cpu"))
    assert editor.model.vectors(["add", "", "remove"]).ne(0).any(1).tolist() == [True, False, True]
