"""The embedded MGIE editor: EditWorld's editor and the LLaVA, trained on instructions that the picture makes clear.

Beside it, what it is compared with: an InstructPix2Pix editor, its text-only twin LGIE and the paper's other variants,
which see the same triplets in the same order for the same steps.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from diffusers import StableDiffusionInstructPix2PixPipeline
from transformers import CLIPTokenizer

from editfoundry.editors.editing_defaults import EditingDefaults, write_editing_defaults
from editfoundry.editors.families.instruct_pix2pix.training_config import InstructPix2PixTraining
from editfoundry.editors.families.mgie.model import MgieModel, load_mgie, save_mgie
from editfoundry.editors.families.mgie.training_config import MgieTraining
from editfoundry.editors.train import train_editor
from editfoundry.pretrained.runtime import Runtime
from editfoundry.pretraining.ambiguous_triplets import write_ambiguous_triplets
from editfoundry.pretraining.editor_training import forget_paths, open_trained, trainer_settings
from editfoundry.pretraining.model_trainee import PretrainingConfig, PretrainingResult

NUM_TRIPLETS = 24_000
PLAIN_SHARE = 0.5
"""Of the triplets: all that a plain edit says has to go through the head, too."""
HEAD: Mapping[str, Any] = {
    "head_dim": 128,
    "head_layers": 2,
    "head_heads": 4,
    "head_feedforward_dim": 384,
}
"""The edit head's sizes: a state is 128 numbers here, not 4,096. It gives as many tokens as the text encoder does."""
MLLM_RATE = 1.0
"""Of what trains of the language model, in units of the edit head's rate; the paper's are 5 to 1."""
TOLD_SHARE = 0.85
"""Of the steps: those in which the edit head learns from the text encoder, and all of the language model to answer."""
EDITING_RATE = 0.3
"""Of the learning rate, in the steps after those, which have the paper's loss."""
SETTINGS: Mapping[str, Any] = {
    **HEAD,
    "expressive_field": "expressive_instruction",
    "trains_unet": False,
    "trains_mllm_blocks": True,
}
"""Of both trainings. The UNet is `editworld`'s, which edits already; the embedded LLaVA was never asked what a picture
will be like, so that all of its language model learns it."""
TOLD: Mapping[str, Any] = {"text_loss_weight": 1.0, "edit_loss_weight": 0.0}
"""Of the first one: its edit head learns to say what the editor's text encoder says of the same words (GILL)."""
VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "mgie": {},
    "mgie_lgie": {"sees_picture": False},
    "mgie_fz": {"trains_mllm": False, "trains_mllm_blocks": False},
    "mgie_ft": {"edit_loss_reaches_mllm": False},
    "mgie_raw": {"expressive_field": "instruction"},
    "mgie_frozen": {"trains_mllm_blocks": False},
}
"""Name -> the settings in which a variant differs (MGIE, sections 4.2 and 4.3). LGIE knows the instruction alone; FZ's
language model stays as it is; FT's learns to answer and nothing else; the fourth answers with the raw instruction; of
the last one's language model, as of the paper's, only token embeddings and head are trained."""
BASELINE = "mgie_baseline"
CONFIG = PretrainingConfig(num_steps=3_000, batch_size=32, learning_rate=1e-3, ema_decay=0.999, num_warmup_steps=100)
ON_GPU = {"num_steps": 16_000, "batch_size": 256, "learning_rate": 1.5e-3, "mixed_precision": "bf16"}
EXAMPLES_ON_GPU = {"num_triplets": 50_000}


def train_mgie(
    work_dir: Path,
    start: str,
    mllm: str,
    config: PretrainingConfig = CONFIG,
    name: str = "mgie",
    num_triplets: int = NUM_TRIPLETS,
    plain_share: float = PLAIN_SHARE,
    shipped: Path | None = None,
    data_seed: int = 0,
) -> tuple[MgieModel, PretrainingResult]:
    """Draw the triplets and train an MGIE editor from an editor and a LLaVA; an interrupted run resumes.

    There are two trainings, which share the steps: in the first one the edit head learns from the text encoder of the
    editor (`TOLD`), in the second from the paper's loss.

    Args:
        work_dir: gets triplets, caches and the trainer's checkpoints.
        start: folder of the InstructPix2Pix editor that UNet, autoencoder, scheduler and text encoder come from.
        mllm: folder of the LLaVA.
        config: schedule and optimizer.
        name: of `VARIANTS`.
        num_triplets: plain edits and ambiguous ones.
        plain_share: of the plain ones.
        shipped: an MGIE editor that is trained on, of ``start``'s UNet; then ``mllm`` is not needed.
        data_seed: another one draws other triplets.
    """
    data = _data(work_dir, name, config, num_triplets, plain_share, data_seed)
    variant: dict[str, Any] = {
        **SETTINGS,
        **VARIANTS[name],
        "mllm_learning_rate": MLLM_RATE * config.learning_rate,
        "num_queries": CLIPTokenizer.from_pretrained(start, subfolder="tokenizer").model_max_length,
    }
    num_told = max(1, min(round(TOLD_SHARE * config.num_steps), config.num_steps - 1))
    first = replace(config, num_steps=num_told, ends_at=_told_by(config))
    parts = {"editor": start, "mllm": mllm}
    if shipped is not None:
        parts = {"editor": str(shipped), "text_loss_editor": start}
    told = MgieTraining(
        **{**trainer_settings(work_dir, f"data/{name}/told", first), **data, **variant, **TOLD, **parts}
    )
    before = train_editor(told)
    rate, num_steps = EDITING_RATE * config.learning_rate, max(1, config.num_steps - num_told)
    warmup = min(config.num_warmup_steps, num_steps // 4)
    rest = replace(config, num_steps=num_steps, learning_rate=rate, num_warmup_steps=warmup)
    variant["mllm_learning_rate"] = MLLM_RATE * rate
    training = MgieTraining(**{**trainer_settings(work_dir, name, rest), **data, **variant}, editor=str(told.output))
    summary = train_editor(training)
    model = load_mgie(training.output, Runtime(torch.device("cpu"), torch.float32))
    forget_paths(model.pipeline, model.edit_head, model.mllm.model)
    result = PretrainingResult.of_summary(summary)
    total, seconds = before["num_steps"] + result.num_steps, before["seconds"] + result.seconds
    return model, replace(result, num_steps=total, seconds=seconds)


def train_baseline(
    work_dir: Path,
    start: str,
    config: PretrainingConfig = CONFIG,
    num_triplets: int = NUM_TRIPLETS,
    plain_share: float = PLAIN_SHARE,
) -> tuple[StableDiffusionInstructPix2PixPipeline, PretrainingResult]:
    """Train the InstructPix2Pix editor ``start``, text encoder included, on the triplets that `train_mgie` draws."""
    data = _data(work_dir, BASELINE, config, num_triplets, plain_share)
    settings = {**trainer_settings(work_dir, BASELINE, config), **data}
    training = InstructPix2PixTraining(**settings, editor=start, train_text_encoder=True)
    summary = train_editor(training)
    return open_trained(training.output), PretrainingResult.of_summary(summary)


def save_in_half(model: MgieModel, folder: Path, editing: EditingDefaults) -> dict[str, int]:
    """Write an editor to be shipped, in float16, and return its parameter counts by part."""
    pipeline = model.pipeline
    parts = {"vae": pipeline.vae, "unet": pipeline.unet, "edit_head": model.edit_head, "mllm": model.mllm.model}
    for part in parts.values():
        part.to(torch.float16)
    save_mgie(model, folder)
    write_editing_defaults(folder, editing)
    return {name: sum(p.numel() for p in part.parameters()) for name, part in parts.items()}


def draw(
    work_dir: Path, num_triplets: int = NUM_TRIPLETS, plain_share: float = PLAIN_SHARE, data_seed: int = 0
) -> Path:
    """Draw the triplets, where that was not done, and return their folder."""
    dataset = work_dir / "data" / f"ambiguous-{num_triplets}-{data_seed}"
    write_ambiguous_triplets(dataset, num_triplets, data_seed, plain_share)
    return dataset


def _told_by(config: PretrainingConfig) -> float | None:
    """Return when the first of two trainings has to be over, if the second one has to."""
    if config.ends_at is None:
        return None
    return config.ends_at - (1 - TOLD_SHARE) * max(0.0, config.ends_at - time.time())


def _data(
    work_dir: Path, name: str, config: PretrainingConfig, num_triplets: int, plain_share: float, data_seed: int = 0
) -> dict[str, Any]:
    return {
        "dataset": draw(work_dir, num_triplets, plain_share, data_seed),
        # Not shared: several may be trained beside each other.
        "work_dir": work_dir / "data" / name,
        "checkpoint_every_seconds": config.checkpoint_every_seconds,
        "num_checkpoints": config.num_checkpoints,
    }
