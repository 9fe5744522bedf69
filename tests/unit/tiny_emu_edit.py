"""A random Emu Edit editor of the real classes, and a task predictor that always says the same."""

from __future__ import annotations

from pathlib import Path

import torch
from tiny_models import tiny_pipeline
from transformers import T5Config, T5ForSequenceClassification

from editfoundry.data.edit_tasks import TASK_NAMES
from editfoundry.editors.families.emu_edit.conditioning import add_task_projection
from editfoundry.editors.families.emu_edit.task_table import TaskTable
from editfoundry.pretraining.recipes.task_predictor import build_tokenizer


def save_editor(folder: Path, vectors: torch.Tensor | None = None, prediction_type: str = "v_prediction") -> Path:
    """An editor with these vectors of its tasks, ``(16, 16)``, or small random ones."""
    pipeline = tiny_pipeline(prediction_type=prediction_type)
    add_task_projection(pipeline.unet, seed=1)
    pipeline.save_pretrained(folder)
    table = TaskTable.at_random(16, seed=2) if vectors is None else TaskTable(vectors)
    table.save(folder)
    return folder


def save_predictor(folder: Path, always: str) -> Path:
    """A T5 that names one task whatever it is asked."""
    tokenizer = build_tokenizer(["melt it", "melt it"])
    config = T5Config(
        vocab_size=len(tokenizer), d_model=8, d_kv=4, d_ff=16, num_layers=1, num_heads=2, decoder_start_token_id=0,
        id2label=dict(enumerate(TASK_NAMES)), label2id={name: n for n, name in enumerate(TASK_NAMES)},
    )  # fmt: skip
    model = T5ForSequenceClassification(config)
    model.classification_head.out_proj.bias.data[TASK_NAMES.index(always)] = 100.0
    for part in (model, tokenizer):
        part.save_pretrained(folder)
    return folder
