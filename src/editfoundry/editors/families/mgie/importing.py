"""Makes an editor here of the checkpoint that MGIE's authors released, and of the models that it was trained from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from editfoundry.data.atomic import atomic_folder
from editfoundry.editors.families.instruct_pix2pix.trainee import load_editor_to_train
from editfoundry.editors.families.mgie.model import MgieModel, check_widths, save_mgie
from editfoundry.editors.families.mgie.picture_tokens import PICTURE_TOKENS, add_picture_tokens
from editfoundry.editors.families.mgie.pipeline import MgiePipeline
from editfoundry.editors.families.mgie.released import ReleasedMllm, check_finite, read_released_mllm, read_tensors
from editfoundry.errors import BadInputError, one_line
from editfoundry.pretrained.runtime import Runtime
from editfoundry.pretrained.vision_language_model import VisionLanguageModel, open_vision_language_model
from editfoundry.profiles import ModelReference

STAGE = "import mgie"
SUFFIXES = (".safetensors", ".pt")
LEAST_LIKENESS = 0.9
"""Median cosine of the released embeddings with the language model's: most words occur in no instruction, so that
training left them as they were."""
CHAT_TEMPLATE = (
    "{{ 'A chat between a curious user and an artificial intelligence assistant. The assistant gives helpful, "
    "detailed, and polite answers to the user\\'s questions.' }}"
    "{% for message in messages %}{{ ' USER: ' if message['role'] == 'user' else ' ASSISTANT: ' }}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}{{ content['text'] }}{% endfor %}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}"
    "{{ '\\n<im_start><image><im_end>' }}{% endfor %}"
    "{% if message['role'] == 'assistant' %}{{ '</s>' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ ' ASSISTANT:' }}{% endif %}"
)
"""How the release asks: Vicuna's chat with the picture, between marks of its own, behind the words."""


def import_mgie(source: Path, output: Path, mllm: str, editor: str, num_heads: int = 4) -> dict[str, Any]:
    """Write an editor's checkpoint into ``output`` and return what went into it.

    Args:
        source: folder of the release's ``mllm.pt`` and ``unet.pt``, or of the same tensors as safetensors.
        output: appears when everything is written.
        mllm: the LLaVA that the release was trained from, in transformers' layout: a folder or hub id.
        editor: where autoencoder, scheduler and the UNet's configuration come from, in diffusers' layout.
        num_heads: of the edit head's attention, which no shape tells.

    Raises:
        BadInputError: a file is missing or no such checkpoint, or the named models are not those it belongs to.
    """
    released = read_released_mllm(_file(source, "mllm"), num_heads)
    unet_path = _file(source, "unet")
    base, _ = load_editor_to_train(ModelReference(role="editor_base", source=editor).location)
    _fill_unet(base.unet, read_tensors(unet_path), unet_path, editor)
    reference = ModelReference(role="vision_language_model", source=mllm)
    # Of LLaVA-7B float32 would be 28 GB; the release has half precision, too.
    language_model = open_vision_language_model(reference, Runtime(torch.device("cpu"), torch.float16))
    fill_mllm(language_model, released, mllm)
    pipeline = MgiePipeline(base.vae, base.unet, base.scheduler)
    check_widths(source, pipeline, language_model, released.edit_head)
    with atomic_folder(output, STAGE) as partial:
        save_mgie(MgieModel(pipeline, language_model, released.edit_head), partial)
    return {
        "editor": str(output),
        "tokens": len(language_model.processor.tokenizer),
        "edit_head_parameters": sum(p.numel() for p in released.edit_head.parameters()),
        "unet_parameters": sum(p.numel() for p in base.unet.parameters()),
    }


def fill_mllm(mllm: VisionLanguageModel, released: ReleasedMllm, name: str) -> None:
    """Put the released embeddings and head into a LLaVA, the picture tokens' where its tokenizer has them.

    Raises:
        BadInputError: it is not the LLaVA that the release was trained from.
    """
    model, tokenizer = mllm.model, mllm.processor.tokenizer
    num_words, width = len(released.embeddings) - len(PICTURE_TOKENS), released.embeddings.shape[1]
    own = model.get_input_embeddings().weight
    if not tokenizer.vocab_size <= num_words <= len(tokenizer) or own.shape[1] != width:
        raise BadInputError(
            f"{name}: has {len(tokenizer):,} tokens of {own.shape[1]} numbers, but the release was trained from "
            f"a LLaVA of {num_words:,} tokens of {width}: name that one"
        )
    if model.get_output_embeddings().weight is own:
        raise BadInputError(
            f"{name}: its language-model head is its embeddings, but the release has both: name its LLaVA"
        )
    likeness = float(cosine_similarity(own.detach()[:num_words].float(), released.embeddings[:num_words]).median())
    if not likeness >= LEAST_LIKENESS:
        raise BadInputError(f"{name}: its words are not the release's (median cosine {likeness:.2f}): name its LLaVA")
    ids = add_picture_tokens(model, mllm.processor)
    tables = {
        model.get_input_embeddings(): released.embeddings,
        model.get_output_embeddings(): released.lm_head,
    }
    with torch.no_grad():
        for layer, told in tables.items():
            layer.weight[:num_words] = told[:num_words].to(layer.weight)
            layer.weight[list(ids)] = told[num_words:].to(layer.weight)
    if {"<im_start>", "<im_end>"} <= tokenizer.get_vocab().keys():
        mllm.processor.chat_template = CHAT_TEMPLATE


def _fill_unet(unet: Any, tensors: Mapping[str, Tensor], path: Path, editor: str) -> None:
    check_finite(tensors, path)
    try:
        unet.load_state_dict({name: value.float() for name, value in tensors.items()})
    except RuntimeError as error:
        raise BadInputError(f"{path}: is no UNet like that of {editor}: {one_line(error, 200)}") from error


def _file(folder: Path, name: str) -> Path:
    found = [path for suffix in SUFFIXES if (path := folder / f"{name}{suffix}").is_file()]
    if not found:
        raise BadInputError(
            f"{folder}: has no {name}.pt, which MGIE's release has: name the folder of mllm.pt and unet.pt"
        )
    return found[0]
