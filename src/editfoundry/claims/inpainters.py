"""The inpainters that claims about Imagen Editor compare: small latent ones, and small cascades, all trained here."""

from __future__ import annotations

from dataclasses import asdict, replace

import torch

from editfoundry.claims.scores import ArmScores
from editfoundry.claims.workbench import Workbench
from editfoundry.data.atomic import atomic_folder
from editfoundry.data.hashing import input_hash
from editfoundry.editors.caption_training.object_masks import MaskShares
from editfoundry.errors import MissingModelError
from editfoundry.evaluation.benchmarks.item import Benchmark
from editfoundry.evaluation.benchmarks.reading import read_benchmark
from editfoundry.pretrained.identity import model_identity
from editfoundry.pretrained.runtime import Runtime
from editfoundry.pretrained.text_to_image import load_text_to_image
from editfoundry.tinyworld.captioned_scenes import write_captioned_scenes


def holes(bench: Workbench) -> Benchmark:
    """Return the items of tinyworld's EditBench that these claims ask for."""
    return read_benchmark("tinyworld-editbench", num_items=bench.config.num_inpainting_items, seed=bench.config.seed)


def masking_arm(bench: Workbench, shares: MaskShares, benchmark: Benchmark) -> ArmScores:
    """Return what an inpainter that was trained by masks of these kinds paints into holes; see `trained_inpainter`."""
    return bench.scores(bench.contestant(trained_inpainter(bench, shares)), benchmark)


def trained_inpainter(bench: Workbench, shares: MaskShares) -> str:
    """Make an inpainter of the profile's text-to-image model, by masks of these kinds; return its folder.

    It learns from captioned scenes of tinyworld's training split, with the true boxes of what captions name. An
    interrupted training resumes, a finished one is taken.
    """
    from editfoundry.editors.families.inpainting.training_config import InpaintingTraining
    from editfoundry.editors.train import train_editor

    chosen = bench.config
    count = chosen.num_inpainting_pictures
    dataset = bench.work_dir / "captioned" / f"{count}-{chosen.seed}"
    write_captioned_scenes(dataset, count, chosen.seed)
    digest = input_hash("inpainter", asdict(shares), count, chosen.seed)[:16]
    config = InpaintingTraining(
        editor=bench.profile.model("text_to_image").location,
        dataset=dataset,
        boxes="stored",
        output=bench.work_dir / "checkpoints" / digest,
        work_dir=bench.work_dir / "training",
        num_steps=chosen.num_inpainting_steps,
        batch_size=chosen.training_batch_size,
        learning_rate=chosen.inpainting_learning_rate,
        num_warmup_steps=min(20, chosen.num_inpainting_steps // 4),
        ema_decay=0.98,
        known_weight=0.2,
        checkpoint_every=50,
        seed=chosen.seed,
        **asdict(shares),
    )
    train_editor(config)
    return str(config.output)


def trained_cascade(bench: Workbench, downsampling: str) -> str:
    """Train a small cascade, as `tinyworld pretrain imagen_editor` does, on scenes of tinyworld; return its folder.

    An interrupted training resumes, a finished one is taken.

    Args:
        bench: models, sizes and the folder.
        downsampling: how picture and mask reach the base model, ``learned`` or ``bicubic``.

    Raises:
        MissingModelError: the profile's text encoder is not the embedded one, whose width the cascade has.
    """
    from editfoundry.pretraining.recipes import imagen_editor
    from editfoundry.pretraining.shipping import editor_saver

    painter = bench.profile.model("text_to_image")
    if not painter.source.startswith("package:"):
        raise MissingModelError(
            f"profile {bench.profile.name!r} has another text encoder than the small cascades: use the profile embedded"
        )
    chosen = bench.config
    config = replace(
        imagen_editor.CONFIG,
        num_steps=chosen.num_cascade_steps,
        num_warmup_steps=min(imagen_editor.CONFIG.num_warmup_steps, chosen.num_cascade_steps // 4),
        batch_size=chosen.training_batch_size,
        seed=chosen.seed,
        downsampling=downsampling,
    )
    sizes = (config.num_steps, config.batch_size, chosen.num_cascade_pictures, chosen.seed)
    digest = input_hash("cascade", *sizes, model_identity(bench.profile, "text_to_image"))[:16]
    work_dir = bench.work_dir / "cascades" / digest
    folder = work_dir / downsampling
    if not (folder / "model_index.json").is_file():
        runtime = Runtime(bench.runtime.device, torch.float32)
        parts = load_text_to_image(bench.profile, runtime)
        pipeline, _ = imagen_editor.train_imagen_editor(
            work_dir, parts.tokenizer, parts.text_encoder, runtime.device, config, chosen.num_cascade_pictures
        )
        with atomic_folder(folder, "cascade") as unfinished:
            editor_saver(pipeline, imagen_editor.SAMPLING)(unfinished)
    return str(folder)
