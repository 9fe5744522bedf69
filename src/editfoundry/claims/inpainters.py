"""The inpainters that claims about Imagen Editor compare: small ones trained here, and cascades that lie ready."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from editfoundry.claims.scores import ArmScores
from editfoundry.claims.workbench import Workbench
from editfoundry.data.hashing import input_hash
from editfoundry.editors.caption_training.object_masks import MaskShares
from editfoundry.errors import MissingModelError
from editfoundry.evaluation.benchmarks.item import Benchmark
from editfoundry.evaluation.benchmarks.reading import read_benchmark
from editfoundry.profiles import EMBEDDED_FOLDER
from editfoundry.tinyworld.captioned_scenes import write_captioned_scenes

CASCADE = "imagen_editor"


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


def shipped_cascade() -> str:
    """Return the folder of the embedded cascade.

    Raises:
        MissingModelError: none is shipped.
    """
    return _there(EMBEDDED_FOLDER / CASCADE, f"editfoundry tinyworld pretrain {CASCADE}")


def bicubic_cascade(bench: Workbench) -> str:
    """Return the folder of the cascade that sees picture and mask by bicubic downsampling.

    Raises:
        MissingModelError: it was not trained yet.
    """
    folder = bench.work_dir / "bicubic"
    return _there(folder / CASCADE, f"editfoundry tinyworld pretrain {CASCADE} --downsampling bicubic --out {folder}")


def _there(folder: Path, command: str) -> str:
    if not (folder / "model_index.json").is_file():
        raise MissingModelError(f"{folder}: no cascade there yet; {command} trains it")
    return str(folder)
