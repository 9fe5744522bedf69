"""What tells whether a role is played by the same model as before."""

from __future__ import annotations

from pathlib import Path

from editfoundry.data.hashing import file_hash
from editfoundry.pretrained.adapters import adapter_base
from editfoundry.pretrained.endpoint_settings import endpoint_settings
from editfoundry.profiles import ENDPOINT, ModelReference, Profile

_SHAPING = ("multi_image",)
"""Options of a profile that change what a model says."""


def model_identity(profile: Profile, role: str) -> list[str]:
    """Return the model's name, its parts' places, and, for a folder, its weights' and tokenizer's hashes.

    Of an adapter, its base's too. Nothing is loaded.
    """
    return _reference_identity(profile.model(role))


def _reference_identity(reference: ModelReference) -> list[str]:
    if reference.is_endpoint:
        # An address may change, a model's name not.
        return [f"{ENDPOINT}:{endpoint_settings(reference).model}@{reference.revision}"]
    parts = [part for part in (reference.subfolder, reference.weight_name, reference.image_encoder) if part]
    parts += [f"{name} {reference.options[name]}" for name in _SHAPING if name in reference.options]
    folder = Path(reference.location)
    if not folder.is_dir():
        return [str(reference), *parts]
    files = [*sorted(folder.glob("**/*.safetensors")), *sorted(folder.glob("**/tokenizer*.json"))]
    own = [str(reference), *parts, *(file_hash(path) for path in files)]
    base = adapter_base(reference)
    return own if base is None else [*own, *_reference_identity(base)]
