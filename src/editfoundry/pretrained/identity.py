"""What tells whether a role is played by the same model as before."""

from __future__ import annotations

from pathlib import Path

from editfoundry.data.hashing import file_hash
from editfoundry.profiles import Profile


def model_identity(profile: Profile, role: str) -> list[str]:
    """Return the model's name, its parts' places, and, for a folder, its weights' and tokenizer's hashes.

    Nothing is loaded.
    """
    reference = profile.model(role)
    parts = [part for part in (reference.subfolder, reference.weight_name, reference.image_encoder) if part]
    folder = Path(reference.location)
    if not folder.is_dir():
        return [str(reference), *parts]
    files = [*sorted(folder.glob("**/*.safetensors")), *sorted(folder.glob("**/tokenizer*.json"))]
    return [str(reference), *parts, *(file_hash(path) for path in files)]
