"""The eight tokens that MGIE adds to a language model's vocabulary."""

from __future__ import annotations

from typing import Any

import torch

from editfoundry.errors import BadInputError

PICTURE_TOKENS = tuple(f"[IMG{number}]" for number in range(8))
"""What ends an answer; the states that predict them are what the picture is edited by."""


def add_picture_tokens(model: Any, processor: Any, seed: int = 0) -> tuple[int, ...]:
    """Give a model and its processor the picture tokens, where they lack them, and return the tokens' ids.

    A new token's embeddings are drawn around the mean of those that are there, as far apart as they are. Embeddings
    and language-model head grow only where the vocabulary has no row to spare.
    """
    tokenizer = processor.tokenizer
    is_new = tokenizer.add_special_tokens(
        {"additional_special_tokens": list(PICTURE_TOKENS)}, replace_extra_special_tokens=False
    )
    ids = picture_token_ids(tokenizer)
    if not is_new:
        return ids
    if model.get_input_embeddings().weight.shape[0] <= max(ids):
        model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    generator = torch.Generator().manual_seed(seed)
    told = min(ids)
    tables = {id(layer.weight): layer.weight for layer in (model.get_input_embeddings(), model.get_output_embeddings())}
    with torch.no_grad():
        for weight in tables.values():
            known = weight[:told].float()
            noise = torch.randn(len(ids), weight.shape[1], generator=generator).to(known)
            weight[list(ids)] = (known.mean(0) + known.std(0) * noise).to(weight)
    return ids


def picture_token_ids(tokenizer: Any) -> tuple[int, ...]:
    """Return the ids of the picture tokens, as the tokenizer has them.

    Raises:
        BadInputError: it has not all of them.
    """
    known = tokenizer.get_vocab()
    lacking = [token for token in PICTURE_TOKENS if token not in known]
    if lacking:
        raise BadInputError(
            f"the language model's tokenizer has no token {lacking[0]}: it is not one that MGIE trained"
        )
    return tuple(known[token] for token in PICTURE_TOKENS)
