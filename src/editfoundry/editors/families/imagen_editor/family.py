"""Imagen Editor's cascade as a family of editors: checkpoints of `ImagenEditorPipeline`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from editfoundry.editors.editor import Editor
from editfoundry.editors.editor_family import EditorFamily, EditorSource, FamilyTraining
from editfoundry.editors.families.imagen_editor.options import ImagenEditorOptions
from editfoundry.editors.families.imagen_editor.training_config import ImagenEditorTraining
from editfoundry.errors import BadInputError

if TYPE_CHECKING:
    from PIL import Image

    from editfoundry.editors.editor import EditRequest
    from editfoundry.editors.families.imagen_editor.pipeline import ImagenEditorPipeline
    from editfoundry.pretrained.runtime import Runtime


def _load(source: EditorSource, runtime: Runtime) -> ImagenEditorPipeline:
    from editfoundry.editors.families.imagen_editor.checkpoint import load_imagen_editor

    if source.folder is None:
        raise BadInputError(f"{source.name}: a cascade is a checkpoint: name its folder")
    return load_imagen_editor(source.folder, runtime)


def _edit(editor: Editor, requests: Sequence[EditRequest]) -> list[Image.Image]:
    from editfoundry.editors.families.imagen_editor.painting import paint_requests

    return paint_requests(editor.model, editor.options, requests)


IMAGEN_EDITOR = EditorFamily(
    name="imagen_editor",
    pipeline_classes=("ImagenEditorPipeline",),
    options_class=ImagenEditorOptions,
    needs=("mask",),
    load=_load,
    edit=_edit,
    training=FamilyTraining(
        ImagenEditorTraining, "editfoundry.editors.families.imagen_editor.trainee:ImagenEditorTrainee"
    ),
)
