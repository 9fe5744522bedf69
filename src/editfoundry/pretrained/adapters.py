"""Language models whose folder holds an adapter alone (peft's layout): updates of another model, its base."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from editfoundry.data.untrusted import read_json
from editfoundry.errors import BadInputError
from editfoundry.pretrained.tokenizer_check import check_tokenizer
from editfoundry.profiles import ModelReference

if TYPE_CHECKING:
    import torch

CONFIG_FILE, WEIGHTS_FILE = "adapter_config.json", "adapter_model.safetensors"


def adapter_base(reference: ModelReference) -> ModelReference | None:
    """Return the model that a folder's adapter updates; None where the folder holds a whole model, or is none.

    Raises:
        BadInputError: the adapter is not whole.
    """
    folder = Path(reference.location)
    if not (folder / CONFIG_FILE).is_file():
        return None
    config = read_json(folder / CONFIG_FILE, dict)
    source = config.get("base_model_name_or_path")
    if not isinstance(source, str) or not source:
        raise BadInputError(f"{folder / CONFIG_FILE}: names no base_model_name_or_path")
    if not (folder / WEIGHTS_FILE).is_file():
        raise BadInputError(f"{folder}: has no {WEIGHTS_FILE}; other files of weights are not opened")
    return ModelReference(role=reference.role, source=source, revision=str(config.get("revision") or "main"))


def load_adapted(reference: ModelReference, base: ModelReference, dtype: torch.dtype) -> tuple[Any, Any]:
    """Load a base with its adapter merged into it, and the adapter's tokenizer, which may have learned words."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from editfoundry.pretrained.opening import load_whole

    options: dict[str, Any] = {"revision": base.revision, "local_files_only": base.is_local}
    model = load_whole(AutoModelForCausalLM, base, dtype=dtype, use_safetensors=True, **options)
    tokenizer = AutoTokenizer.from_pretrained(reference.location, local_files_only=True)
    check_tokenizer(tokenizer, reference)
    make_room(model, tokenizer)
    adapted: Any = PeftModel.from_pretrained(model, reference.location)
    return adapted.merge_and_unload(), tokenizer


def make_room(model: Any, tokenizer: Any) -> None:
    """Give a model's embeddings a row for each of the tokenizer's words; new ones are drawn like the others."""
    if len(tokenizer) > model.get_input_embeddings().num_embeddings:
        model.resize_token_embeddings(len(tokenizer))
