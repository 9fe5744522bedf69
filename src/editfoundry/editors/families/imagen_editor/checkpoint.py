"""Opens a cascade's folder, and makes a cascade of text-to-image models."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from diffusers import DDIMScheduler, IFPipeline, IFSuperResolutionPipeline

from editfoundry.diffusion.schedulers import on_schedule_of
from editfoundry.editors.families.imagen_editor.masked_picture import MaskedPictureEncoder
from editfoundry.editors.families.imagen_editor.pipeline import ImagenEditorPipeline
from editfoundry.editors.families.imagen_editor.stage import RGB_CHANNELS, CascadeStage, stage_of
from editfoundry.errors import BadInputError
from editfoundry.pretrained.diffusers_pipeline import open_pipeline, pipeline_class_name
from editfoundry.pretrained.runtime import Runtime
from editfoundry.pretrained.tokenizer_check import check_text_length
from editfoundry.profiles import ModelReference


def load_imagen_editor(folder: Path, runtime: Runtime) -> ImagenEditorPipeline:
    """Load a checkpoint.

    Raises:
        MissingModelError: a part is missing.
        BadInputError: the parts are damaged, or do not fit each other.
    """
    return _opened(ModelReference(role="inpainter", source=str(folder.resolve())), runtime)


def load_cascade_to_train(
    editor: str,
    revision: str,
    super_resolution: Sequence[str],
    runtime: Runtime,
    downsampling: str = "learned",
    mask_channels: int = 16,
) -> ImagenEditorPipeline:
    """Load a cascade; of text-to-image models each is widened by channels of zero weight for picture and mask.

    Args:
        editor: a cascade, or an IFPipeline: what ``from_pretrained`` is called with.
        revision: of a hub id.
        super_resolution: IFSuperResolutionPipelines, smallest first; none beside a cascade.
        runtime: device and precision.
        downsampling: see `MaskedPictureEncoder`; of new channels alone, as what follows.
        mask_channels: their number.

    Raises:
        MissingModelError: a model is not on this machine and cannot be fetched.
        BadInputError: the models are none of those, or do not fit each other.
    """
    reference = ModelReference(role="inpainter", source=editor, revision=revision)
    kind = pipeline_class_name(reference)
    if kind == ImagenEditorPipeline.__name__:
        if super_resolution:
            raise BadInputError(f"{editor} is a cascade and has its super-resolution: leave super_resolution out")
        return _opened(reference, runtime)
    if kind != IFPipeline.__name__ or not super_resolution:
        raise BadInputError(
            f"{editor} ({kind}): training starts from an ImagenEditorPipeline, or from an IFPipeline with its "
            "super_resolution models"
        )
    base = open_pipeline(IFPipeline, reference, runtime)
    check_text_length(base.tokenizer, reference)
    larger = [
        open_pipeline(IFSuperResolutionPipeline, ModelReference(role="inpainter", source=source), runtime).unet
        for source in super_resolution
    ]
    return cascade_of(
        base.tokenizer, base.text_encoder, base.scheduler, [base.unet, *larger], downsampling, mask_channels
    )


def cascade_of(
    tokenizer: Any,
    text_encoder: Any,
    scheduler: Any,
    unets: Sequence[Any],
    downsampling: str = "learned",
    mask_channels: int = 16,
) -> ImagenEditorPipeline:
    """Make a cascade of text-to-image UNets, the base first, in place; it paints at first as if it saw no picture.

    Raises:
        BadInputError: the UNets are of latents, or make no cascade, see `check_stages`.
    """
    sides = [int(unet.config.sample_size) for unet in unets]
    stages: list[CascadeStage] = []
    for unet, side in zip(unets, sides, strict=True):
        num_halvings = (max(sides) // side).bit_length() - 1
        encoder = MaskedPictureEncoder(num_halvings, mask_channels, downsampling)
        stages.append(stage_of(unet, encoder.to(unet.device)))
    check_stages("the cascade", stages)
    parts: dict[str, Any] = {}
    for number, stage in enumerate(stages, start=1):
        ending = "" if number == 1 else f"_{number}"
        parts |= {f"unet{ending}": stage.unet, f"mask_encoder{ending}": stage.mask_encoder}
    # DeepFloyd IF samples with a variance that it predicts, which is not trained here.
    own = scheduler if isinstance(scheduler, DDIMScheduler) else on_schedule_of(scheduler, DDIMScheduler)
    return ImagenEditorPipeline(tokenizer=tokenizer, text_encoder=text_encoder, scheduler=own, **parts)


def _opened(reference: ModelReference, runtime: Runtime) -> ImagenEditorPipeline:
    pipeline: ImagenEditorPipeline = open_pipeline(ImagenEditorPipeline, reference, runtime)
    check_text_length(pipeline.tokenizer, reference)
    check_stages(reference.source, pipeline.stages)
    return pipeline


def check_stages(place: object, stages: Sequence[CascadeStage]) -> None:
    """Refuse stages that make no cascade.

    Raises:
        BadInputError: a stage is no larger than the one before, is not the last one halved as often as its encoder
            halves the masked picture, or is super-resolution where it must not be, or is none where it must.
    """
    sides = [stage.side for stage in stages]
    if any(before >= after for before, after in pairwise(sides)):
        raise BadInputError(f"{place}: its sides are {sides}: each stage must be larger than the one before")
    for number, stage in enumerate(stages):
        kind = "super-resolution" if number else "the base"
        encoder, channels = stage.mask_encoder.config, stage.unet.config.in_channels
        if stage.side << encoder.num_halvings != sides[-1]:
            raise BadInputError(
                f"{place}: its sides are {sides}: {stage.side} must be the last one halved {encoder.num_halvings} times"
            )
        wanted = (2 if number else 1) * RGB_CHANNELS + encoder.channels
        if channels != wanted:
            raise BadInputError(
                f"{place}: its UNet of {stage.side} pixels takes {channels} channels, but {kind} takes {wanted}"
            )
