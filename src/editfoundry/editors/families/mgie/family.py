"""MGIE editors (Fu et al. 2024): a language model that sees the picture says what the edit will look like."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from editfoundry.editors.editor import Editor, WordedEdit
from editfoundry.editors.editor_family import EditorFamily, EditorSource, FamilyTraining
from editfoundry.editors.families.instruct_pix2pix.family import PER_REQUEST_OPTIONS, InstructPix2PixOptions
from editfoundry.editors.families.mgie.training_config import MgieTraining
from editfoundry.errors import BadInputError

if TYPE_CHECKING:
    from editfoundry.editors.editor import EditRequest
    from editfoundry.editors.families.mgie.model import MgieModel
    from editfoundry.pretrained.runtime import Runtime


def _load(source: EditorSource, runtime: Runtime) -> MgieModel:
    from editfoundry.editors.families.mgie.model import load_mgie

    if source.folder is None:
        raise BadInputError(f"{source.name}: an MGIE editor is a checkpoint: name its folder")
    return load_mgie(source.folder, runtime)


def _edit(editor: Editor, requests: Sequence[EditRequest]) -> list[WordedEdit]:
    from editfoundry.editors.families.mgie.sampling import edit_with_words
    from editfoundry.editors.working_size import edit_at_working_size

    model: MgieModel = editor.model

    def edit(group: list[EditRequest]) -> list[WordedEdit]:
        return edit_with_words(model, editor.options, group)

    return edit_at_working_size(model.pipeline, requests, edit, editor.source.defaults.area_side)


MGIE = EditorFamily(
    name="mgie",
    pipeline_classes=("MgiePipeline",),
    options_class=InstructPix2PixOptions,
    load=_load,
    edit=_edit,
    explains_itself=True,
    per_request_options=PER_REQUEST_OPTIONS,
    training=FamilyTraining(
        MgieTraining,
        "editfoundry.editors.families.mgie.trainee:MgieTrainee",
        memory="editfoundry.editors.families.mgie.memory:memory_rows",
    ),
)
