"""Instructions to the embeddings that the UNet's cross-attention reads."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from diffusers import StableDiffusionInstructPix2PixPipeline
from torch import Tensor
from transformers import CLIPTokenizer


def tokenize(tokenizer: CLIPTokenizer, instructions: Sequence[str]) -> Tensor:
    """Return token ids ``(N, L)`` int64, padded and truncated to the tokenizer's ``model_max_length`` L."""
    ids: Tensor = tokenizer(
        list(instructions),
        padding="max_length",
        max_length=tokenizer.model_max_length,
        truncation=True,
        return_tensors="pt",
    ).input_ids
    return ids


@torch.no_grad()
def embed_instructions(
    pipeline: StableDiffusionInstructPix2PixPipeline, instructions: Sequence[str], device: torch.device
) -> Tensor:
    """Return ``(N, L, D)`` embeddings on ``device``; equal instructions go through the encoder once."""
    distinct = list(dict.fromkeys(instructions))
    embeds: Tensor = pipeline.text_encoder(tokenize(pipeline.tokenizer, distinct).to(device))[0]
    place = {text: i for i, text in enumerate(distinct)}
    return embeds[[place[text] for text in instructions]]
