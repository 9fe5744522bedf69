"""A random MGIE editor of the real classes: the tiny LLaVA, a narrow edit head and the tiny editor's UNet."""

from __future__ import annotations

from pathlib import Path

import torch
from tiny_llava import loaded, tiny_llava
from tiny_models import tiny_pipeline

from editfoundry.editors.families.mgie.edit_head import EditHead
from editfoundry.editors.families.mgie.model import MgieModel, save_mgie
from editfoundry.editors.families.mgie.picture_tokens import add_picture_tokens
from editfoundry.editors.families.mgie.pipeline import MgiePipeline

HEAD = {"hidden_dim": 8, "num_layers": 1, "num_heads": 2, "feedforward_dim": 16, "num_queries": 5}


def tiny_mgie(folder: Path, sees_picture: bool = True) -> MgieModel:
    """An editor whose parts fit each other; ``folder`` gets the language model as it was before the picture tokens."""
    torch.manual_seed(4)
    mllm = loaded(folder, tiny_llava())
    add_picture_tokens(mllm.model, mllm.processor)
    base = tiny_pipeline()
    pipeline = MgiePipeline(base.vae, base.unet, base.scheduler, sees_picture=sees_picture)
    return MgieModel(pipeline, mllm, EditHead(state_dim=16, output_dim=16, **HEAD).eval())


def tiny_mgie_folder(folder: Path, sees_picture: bool = True) -> Path:
    """Its checkpoint."""
    save_mgie(tiny_mgie(folder / "parts", sees_picture), folder / "mgie")
    return folder / "mgie"
