"""Prompt-to-prompt (Hertz et al. 2022) on real pictures, by DDIM inversion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from editfoundry.editors.editor_family import EditorFamily, load_painter
from editfoundry.editors.families.prompt_to_prompt.options import PromptToPromptOptions

if TYPE_CHECKING:
    from PIL import Image

    from editfoundry.editors.editor import Editor, EditRequest


def _edit(editor: Editor, requests: Sequence[EditRequest]) -> list[Image.Image]:
    from editfoundry.editors.families.prompt_to_prompt.editing import prompt_to_prompt

    return prompt_to_prompt(editor.model, editor.options, requests)


PROMPT_TO_PROMPT = EditorFamily(
    name="prompt_to_prompt",
    names={
        "prompt-to-prompt": "Prompt-to-prompt with DDIM inversion: text_to_image with the input caption's attention."
    },
    roles=("text_to_image",),
    options_class=PromptToPromptOptions,
    needs=("input_caption", "output_caption"),
    load=load_painter,
    edit=_edit,
)
