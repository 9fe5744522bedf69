"""A random MGIE editor of the real classes: the tiny LLaVA, a narrow edit head and the tiny editor's UNet."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from tiny_llava import loaded, saved_profile, tiny_llava
from tiny_models import tiny_pipeline, tiny_triplets
from torch import Tensor, nn

from editfoundry.data.shards import write_triplets
from editfoundry.editors.families.mgie.edit_head import EditHead
from editfoundry.editors.families.mgie.model import MgieModel, save_mgie
from editfoundry.editors.families.mgie.picture_tokens import add_picture_tokens
from editfoundry.editors.families.mgie.pipeline import MgiePipeline
from editfoundry.editors.families.mgie.training_config import MgieTraining

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


def tiny_mgie_training(folder: Path, **settings: Any) -> MgieTraining:
    """A training of a few steps: the tiny editor's UNet, the tiny LLaVA, a narrow head, eight captioned triplets."""
    tiny_pipeline().save_pretrained(folder / "base")
    saved_profile(folder, tiny_llava())
    captioned = [replace(triplet, output_caption=f"a {n % 3} thing") for n, triplet in enumerate(tiny_triplets(8))]
    write_triplets(folder / "data" / "00000.tar", captioned)
    values: dict[str, Any] = {
        "editor": str(folder / "base"),
        "mllm": str(folder / "vlm"),
        "dataset": folder / "data",
        "output": folder / "out",
        "work_dir": folder / "work",
        "num_steps": 4,
        "batch_size": 4,
        "log_every": 1,
        "conditioning_dropout": 0.2,
        "num_warmup_steps": 1,
        "head_dim": HEAD["hidden_dim"],
        "head_layers": HEAD["num_layers"],
        "head_heads": HEAD["num_heads"],
        "head_feedforward_dim": HEAD["feedforward_dim"],
        "num_queries": HEAD["num_queries"],
    }
    return MgieTraining(**{**values, **settings})


def released_mllm(width: int = 12, vocabulary: int = 20) -> dict[str, Tensor]:
    """As the public code names them: ``EditMapper`` has llm2hid, query, mapper (an ``nn.Transformer``), hid2feat."""
    torch.manual_seed(0)
    transformer = nn.Transformer(8, 4, 2, 2, 16, dropout=0.0, batch_first=True, norm_first=True)
    mapper = {f"edit_head.mapper.{name}": value for name, value in transformer.state_dict().items()}
    return {
        "model.embed_tokens.weight": torch.randn(vocabulary, width),
        "lm_head.weight": torch.randn(vocabulary, width),
        "edit_head.llm2hid.weight": torch.randn(8, width),
        "edit_head.llm2hid.bias": torch.randn(8),
        "edit_head.query": torch.randn(1, 5, 8),
        "edit_head.hid2feat.weight": torch.randn(6, 8),
        "edit_head.hid2feat.bias": torch.randn(6),
        **mapper,
        "emb": torch.randn(1, 8, width),
    }
