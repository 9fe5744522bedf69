"""Opens a cascade's folder."""

from __future__ import annotations

from pathlib import Path

from editfoundry.editors.families.imagen_editor.masked_picture import MaskedPictureEncoder
from editfoundry.editors.families.imagen_editor.pipeline import ImagenEditorPipeline
from editfoundry.pretrained.diffusers_pipeline import open_pipeline
from editfoundry.pretrained.runtime import Runtime
from editfoundry.profiles import ModelReference

__all__ = ["MaskedPictureEncoder", "load_imagen_editor"]


def load_imagen_editor(folder: Path, runtime: Runtime) -> ImagenEditorPipeline:
    """Load a checkpoint.

    Raises:
        MissingModelError: a part is missing.
        BadInputError: the parts are damaged, or do not fit each other.
    """
    reference = ModelReference(role="inpainter", source=str(folder.resolve()))
    pipeline: ImagenEditorPipeline = open_pipeline(ImagenEditorPipeline, reference, runtime)
    return pipeline
