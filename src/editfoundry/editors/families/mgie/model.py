"""A loaded MGIE editor: the language model looks and says what will be seen, the edit head turns that into a condition.

A checkpoint is one folder: ``vae``, ``unet`` and ``scheduler`` as diffusers lays them out, ``edit_head``, and in
``mllm`` the whole language model as transformers lays it out, with its tokenizer and the embeddings that were trained.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from editfoundry.editors.editor import EditWords
from editfoundry.editors.families.mgie.edit_head import EditHead
from editfoundry.editors.families.mgie.picture_tokens import picture_token_ids
from editfoundry.editors.families.mgie.pipeline import MgiePipeline
from editfoundry.errors import BadInputError
from editfoundry.pretrained.diffusers_pipeline import open_model, open_pipeline
from editfoundry.pretrained.runtime import Runtime
from editfoundry.pretrained.vision_language_model import (
    AnswerWithStates,
    VisionLanguageModel,
    open_vision_language_model,
)
from editfoundry.profiles import ModelReference
from editfoundry.synthesis.expressive.question import question

MLLM_FOLDER, EDIT_HEAD_FOLDER = "mllm", "edit_head"
MAX_NEW_TOKENS = 96
NO_REPEAT_NGRAM_SIZE = 3


@dataclass(frozen=True, eq=False)
class Imagined:
    """What the language model expects of some edits."""

    words: list[EditWords]
    """The expressive instructions."""
    prompt_embeds: Tensor
    """``(B, L, D)`` on the device, what the UNet attends to."""
    null_embeds: Tensor
    """``(1, L, D)``, the null condition."""


@dataclass(frozen=True, eq=False)
class MgieModel:
    """All parts of an editor, on their device."""

    pipeline: MgiePipeline
    mllm: VisionLanguageModel
    edit_head: EditHead

    @property
    def sees_picture(self) -> bool:
        """Whether the language model is shown the picture."""
        return bool(self.pipeline.config.sees_picture)

    @torch.no_grad()
    def imagine(self, images: Sequence[Image.Image], instructions: Sequence[str]) -> Imagined:
        """Let the language model say what each picture will look like, and make conditions of its states.

        Greedy, at most 96 new tokens, no run of three tokens twice (MGIE's release). An answer without the picture
        tokens is completed by them; its note says so.
        """
        ids = picture_token_ids(self.mllm.processor.tokenizer)
        rows = [(image,) if self.sees_picture else () for image in images]
        answers = self.mllm.answer_with_states(
            rows, list(map(question, instructions)), ids, MAX_NEW_TOKENS, NO_REPEAT_NGRAM_SIZE
        )
        embeds = self._of_head(self.mllm.model.get_input_embeddings().weight[list(ids)])
        return Imagined(
            words=[words_of(*told) for told in zip(answers, instructions, strict=True)],
            prompt_embeds=self.edit_head(self._of_head(torch.stack([answer.states for answer in answers])), embeds),
            null_embeds=self.edit_head.null(embeds),
        )

    def _of_head(self, tensor: Tensor) -> Tensor:
        own = self.edit_head.queries
        return tensor.to(own.device, own.dtype)


def words_of(answer: AnswerWithStates, instruction: str) -> EditWords:
    """Return an answer as words, with a note where it is not what a trained model says; it edits all the same.

    Notes: ``empty``; ``endless``, cut after the most tokens; ``no-picture-tokens``, ended without them;
    ``other-script``, in letters that the instruction has none of.
    """
    notes = {"limit": "endless", "end": "no-picture-tokens", "tail": ""}
    note = notes[answer.stopped_by]
    if not answer.text:
        note = "empty"
    elif _scripts(instruction) and _scripts(answer.text) and not _scripts(answer.text) & _scripts(instruction):
        note = "other-script"
    return EditWords(answer.text, note)


def _scripts(text: str) -> set[str]:
    """Return the scripts that a text's letters belong to, by the first word of their Unicode names."""
    return {unicodedata.name(letter, "unknown").split()[0] for letter in text if letter.isalpha()}


def load_mgie(folder: Path, runtime: Runtime) -> MgieModel:
    """Load a checkpoint.

    Raises:
        BadInputError: a part is missing or damaged, the parts do not fit each other, or the tokenizer lacks the
            picture tokens.
    """
    location = str(folder.resolve())
    pipeline = open_pipeline(MgiePipeline, ModelReference(role="editor_base", source=location), runtime)
    head_reference = ModelReference(role="editor_base", source=location, subfolder=EDIT_HEAD_FOLDER)
    edit_head = open_model(EditHead, head_reference, runtime, subfolder=EDIT_HEAD_FOLDER).eval().to(runtime.device)
    mllm_folder = str(folder.resolve() / MLLM_FOLDER)
    mllm = open_vision_language_model(ModelReference(role="vision_language_model", source=mllm_folder), runtime)
    picture_token_ids(mllm.processor.tokenizer)
    check_widths(folder, pipeline, mllm, edit_head)
    return MgieModel(pipeline, mllm, edit_head)


def check_widths(place: object, pipeline: MgiePipeline, mllm: VisionLanguageModel, edit_head: EditHead) -> None:
    """Refuse parts of different editors.

    Raises:
        BadInputError: the edit head does not take the language model's states, or its output is none of the UNet's.
    """
    width = mllm.model.get_input_embeddings().weight.shape[1]
    head, attended = edit_head.config, pipeline.unet.config.cross_attention_dim
    if (head.state_dim, head.output_dim) != (width, attended):
        raise BadInputError(
            f"{place}: its edit head takes states of {head.state_dim} and gives {head.output_dim} numbers, but the "
            f"language model's have {width} and the UNet reads {attended}: they belong to different editors"
        )


def save_mgie(model: MgieModel, folder: Path) -> None:
    """Write a checkpoint of everything, as `load_mgie` reads it."""
    model.pipeline.save_pretrained(folder)
    model.edit_head.save_pretrained(folder / EDIT_HEAD_FOLDER)
    model.mllm.model.save_pretrained(folder / MLLM_FOLDER)
    model.mllm.processor.save_pretrained(folder / MLLM_FOLDER)
