"""Refuses tokenizers that read no words: of a folder without their files, transformers builds empty ones."""

from __future__ import annotations

from typing import Any

from editfoundry.errors import BadInputError
from editfoundry.pretrained.checkpoint_configs import MAX_POSITIONS
from editfoundry.profiles import ModelReference

_LEAST_WORDS = 2
"""T5's empty tokenizer has one: the mark of a word's beginning."""
_AGAIN = "fetch it anew, or name another model"


def check_tokenizer(tokenizer: Any, reference: ModelReference, subfolder: str = "", most: int | None = None) -> None:
    """Check a tokenizer once it is opened; one that does not say how long a text may be is told.

    Args:
        tokenizer: of transformers.
        reference: the model that it belongs to.
        subfolder: the tokenizer's, in the model's folder.
        most: tokens that the model has positions for; None where it does not say.

    Raises:
        BadInputError: it has no vocabulary, or no token to fill short texts up with.
    """
    place = f"role {reference.role!r}: {reference.location}" + (f"/{subfolder}" if subfolder else "")
    special = {*tokenizer.all_special_tokens, *map(str, tokenizer.added_tokens_decoder.values())}
    if len(tokenizer.get_vocab().keys() - special) < _LEAST_WORDS:
        raise BadInputError(
            f"{place}: its tokenizer has no words: tokenizer.json, or vocab.json with merges.txt, or spiece.model is "
            f"missing there; {_AGAIN}"
        )
    if tokenizer.pad_token is None and tokenizer.eos_token is None:
        raise BadInputError(
            f"{place}: its tokenizer has neither a padding token nor an end token: tokenizer_config.json is missing "
            f"there, or does not name them; {_AGAIN}"
        )
    if most is not None and tokenizer.model_max_length > MAX_POSITIONS:
        tokenizer.model_max_length = most


def check_pipeline_tokenizers(pipeline: Any, reference: ModelReference) -> None:
    """Check every tokenizer of a diffusers pipeline, beside the text encoder of the same number.

    Raises:
        BadInputError: see `check_tokenizer`.
    """
    for name, part in pipeline.components.items():
        if not name.startswith("tokenizer") or part is None:
            continue
        encoder = pipeline.components.get(name.replace("tokenizer", "text_encoder"))
        most = getattr(getattr(encoder, "config", None), "max_position_embeddings", None)
        check_tokenizer(part, reference, name, most)


def check_text_length(tokenizer: Any, reference: ModelReference, subfolder: str = "tokenizer") -> None:
    """Check that a tokenizer says how many tokens a text may have, for models that have no limit of their own.

    Raises:
        BadInputError: it does not.
    """
    if tokenizer.model_max_length > MAX_POSITIONS:
        raise BadInputError(
            f"role {reference.role!r}: {reference.location}/{subfolder}: its tokenizer_config.json is missing, or has "
            f"no model_max_length; {_AGAIN}"
        )
