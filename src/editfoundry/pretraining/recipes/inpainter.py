"""The role ``inpainter``: the embedded painter, which learns to see a picture with a hole (Imagen Editor, section 3.2).

Masks are boxes of what captions name, random ones, and unions of both. Only the outer levels of the UNet train: what
things look like, in the inner ones, the painter knows, and both models have those together.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from diffusers import StableDiffusionInpaintPipeline

from editfoundry.editors.caption_training.object_masks import MASKINGS
from editfoundry.editors.editing_defaults import EditingDefaults
from editfoundry.editors.families.inpainting.training_config import InpaintingTraining
from editfoundry.editors.train import train_editor
from editfoundry.pretraining.editor_training import forget_paths, loop_settings
from editfoundry.pretraining.model_trainee import PretrainingConfig, PretrainingResult
from editfoundry.pretraining.weight_shards import INPAINTER_PARTS
from editfoundry.tinyworld.captioned_scenes import write_captioned_scenes
from editfoundry.tinyworld.scene import IMAGE_SIZE

NUM_PICTURES = 16_000
KNOWN_WEIGHT = 0.2
"""Weight of the loss outside the hole, which is soon learned: it only has to be copied."""
OUTPUT = "inpainter"
"""Folder of the trainer's checkpoint, in the work folder."""
CONFIG = PretrainingConfig(num_steps=1_200, batch_size=32, learning_rate=8e-4, ema_decay=0.995, num_warmup_steps=50)
ON_GPU = {"num_steps": 6_000, "batch_size": 256, "learning_rate": 1.2e-3, "mixed_precision": "bf16"}
EXAMPLES_ON_GPU = {"num_pictures": 65_000}
SAMPLING = EditingDefaults(
    options={"num_inference_steps": 20, "guidance_scale": 3.0},
    made_for=f"tinyworld's drawn pictures of {IMAGE_SIZE} pixels",
    side=IMAGE_SIZE,
)
"""How it is sampled: guidance of 2 paints what is asked for less often, of 4 no more often."""


def train_inpainter(
    work_dir: Path,
    start: str,
    config: PretrainingConfig = CONFIG,
    num_pictures: int = NUM_PICTURES,
    data_seed: int = 0,
) -> tuple[StableDiffusionInpaintPipeline, PretrainingResult]:
    """Train the outer levels of an inpainter's UNet, or of a painter's that is widened, on training scenes.

    The boxes are the true ones: in tinyworld the detector would only add its mistakes. An interrupted run resumes.

    Args:
        work_dir: gets the pictures and the trainer's checkpoint.
        start: folder of the text-to-image model, or of an inpainter made of it.
        config: schedule and optimizer.
        num_pictures: that are drawn.
        data_seed: another one draws other pictures.
    """
    training = InpaintingTraining(
        editor=start,
        dataset=draw(work_dir, num_pictures, data_seed),
        boxes="stored",
        output=work_dir / OUTPUT,
        work_dir=work_dir / "data",
        known_weight=KNOWN_WEIGHT,
        unet_parts=INPAINTER_PARTS,
        checkpoint_every=250,
        **asdict(MASKINGS["object"]),
        **loop_settings(config),
    )
    summary = train_editor(training)
    pipeline = StableDiffusionInpaintPipeline.from_pretrained(training.output)
    forget_paths(pipeline)
    return pipeline, PretrainingResult.of_summary(summary)


def draw(work_dir: Path, num_pictures: int = NUM_PICTURES, data_seed: int = 0) -> Path:
    """Draw the captioned pictures, where that was not done, and return their folder."""
    dataset = work_dir / "data" / f"captioned-{num_pictures}-{data_seed}"
    write_captioned_scenes(dataset, num_pictures, data_seed)
    return dataset
