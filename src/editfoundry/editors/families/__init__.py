"""The families of editors. A new one is a folder beside these and a line in the list."""

from __future__ import annotations

from editfoundry.editors.editor_family import EditorFamily
from editfoundry.editors.families.bounds.family import INPUT, TRUTH
from editfoundry.editors.families.diffedit.family import DIFFEDIT
from editfoundry.editors.families.diffusers_pipeline.family import DIFFUSERS_PIPELINE
from editfoundry.editors.families.emu_edit.family import EMU_EDIT
from editfoundry.editors.families.imagen_editor.family import IMAGEN_EDITOR
from editfoundry.editors.families.inpainting.family import INPAINTING
from editfoundry.editors.families.instruct_pix2pix.family import INSTRUCT_PIX2PIX
from editfoundry.editors.families.mgie.family import MGIE
from editfoundry.editors.families.prompt_to_prompt.family import PROMPT_TO_PROMPT
from editfoundry.editors.families.sdedit.family import SDEDIT

FAMILIES: list[EditorFamily] = [
    INPUT,
    TRUTH,
    EMU_EDIT,
    INSTRUCT_PIX2PIX,
    MGIE,
    SDEDIT,
    DIFFEDIT,
    PROMPT_TO_PROMPT,
    INPAINTING,
    IMAGEN_EDITOR,
    DIFFUSERS_PIPELINE,
]
"""All families; a name, or a checkpoint's class, belongs to the first that has it (and whose
``marker`` the checkpoint has), and ``DIFFUSERS_PIPELINE`` opens
the checkpoints of every class that no other has."""
