"""What tells whether a role is played by the same model as before."""

from __future__ import annotations

from pathlib import Path

from editfoundry.data.hashing import file_hash
from editfoundry.pretrained.adapters import adapter_base
from editfoundry.pretrained.endpoint_settings import endpoint_settings
from editfoundry.profiles import ENDPOINT, ModelReference, Profile

_SHAPING = ("multi_image",)
"""Options of a profile that change what a model says."""
_SHAPING_FILES = (
    *("*.safetensors", "*config.json"),
    *("*token*.json", "vocab.json", "merges.txt", "*.model", "*.jinja"),
)


def model_identity(profile: Profile, role: str) -> list[str]:
    """Return the model's name, its parts' places, and, for a folder, the hashes of all that shapes what it says.

    Of an adapter, its base's too. Nothing is loaded.
    """
    return _reference_identity(profile.model(role))


def shaping_files(folder: Path) -> list[Path]:
    """Return the files that say what a model does: weights, settings of each part, tokenizers; not its card."""
    return sorted({path for pattern in _SHAPING_FILES for path in folder.glob(f"**/{pattern}")})


def _reference_identity(reference: ModelReference) -> list[str]:
    if reference.is_endpoint:
        # An address may change, a model's name not.
        return [f"{ENDPOINT}:{endpoint_settings(reference).model}@{reference.revision}"]
    parts = [part for part in (reference.subfolder, reference.weight_name, reference.image_encoder) if part]
    parts += [f"{name} {reference.options[name]}" for name in _SHAPING if name in reference.options]
    folder = Path(reference.location)
    if not folder.is_dir():
        return [str(reference), *parts]
    own = [str(reference), *parts, *(file_hash(path) for path in shaping_files(folder))]
    base = adapter_base(reference)
    return own if base is None else [*own, *_reference_identity(base)]
