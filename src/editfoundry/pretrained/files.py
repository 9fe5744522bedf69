"""Which files a role's model is made of, which of them are on this machine, and the command that fetches the others."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from editfoundry.pretrained.configurations import find_file, read_configuration
from editfoundry.profiles import ModelReference

_PIPELINE_PARTS = ("unet", "vae", "text_encoder", "text_encoder_2")
_DIFFUSERS = "diffusion_pytorch_model.safetensors"
_TRANSFORMERS = "model.safetensors"
_INCLUDES = {
    "pipeline": ("*.json", "*.txt", f"*/{_DIFFUSERS}", f"*/{_TRANSFORMERS}"),
    "diffusers": ("*.json", _DIFFUSERS),
    "transformers": ("*.json", "*.txt", "*.jinja", "*.model", "*.safetensors"),
}
"""Kind of repository -> patterns of the files that are loaded; repositories hold other copies of the same weights."""


@dataclass(frozen=True, kw_only=True)
class ModelFiles:
    """The weights of a model on this machine."""

    found: tuple[Path, ...]
    missing: tuple[str, ...]
    """By their paths in the repository."""

    @property
    def num_bytes(self) -> int:
        """Size on disk of what is there."""
        return sum(path.stat().st_size for path in self.found)


def model_files(reference: ModelReference) -> ModelFiles:
    """Look for a model's weights; a folder counts as it is, as soon as there are any."""
    if reference.is_local:
        return _in_folder(reference)
    places = {name: find_file(reference, name) for name in _weight_names(reference)}
    found = tuple(path for path in places.values() if path is not None)
    return ModelFiles(found=found, missing=tuple(name for name, path in places.items() if path is None))


def fetch_command(reference: ModelReference) -> str | None:
    """Return the command that fetches what is loaded of a model; None for a folder, which nothing fetches."""
    if reference.role == "lpips":
        target = f"{reference.source}/{reference.weight_name}"
        return f"curl -Lo {target} --create-dirs https://download.pytorch.org/models/{reference.weight_name}"
    if reference.is_local:
        return None
    revision = "" if reference.revision == "main" else f" --revision {reference.revision}"
    return f"hf download {reference.source}{revision}" + "".join(f' --include "{p}"' for p in _patterns(reference))


def _patterns(reference: ModelReference) -> Iterable[str]:
    if reference.role == "ip_adapter":
        encoder = f"{reference.subfolder}/image_encoder/*".lstrip("/")
        return (f"{reference.subfolder}/{reference.weight_name}".lstrip("/"), encoder)
    return _INCLUDES[_kind(reference)]


def _kind(reference: ModelReference) -> str:
    if reference.role in ("text_to_image", "editor_base", "inpainter"):
        return "pipeline"
    return "diffusers" if reference.role == "controlnet_canny" else "transformers"


def _in_folder(reference: ModelReference) -> ModelFiles:
    folder = Path(reference.location)
    if reference.weight_name and reference.role == "lpips":
        path = folder / reference.weight_name
        return ModelFiles(found=(path,), missing=()) if path.is_file() else ModelFiles(found=(), missing=(path.name,))
    found = tuple(sorted(folder.glob("**/*.safetensors"))) if folder.is_dir() else ()
    return ModelFiles(found=found, missing=() if found else ("*.safetensors",))


def _weight_names(reference: ModelReference) -> list[str]:
    if reference.role == "ip_adapter":
        prefix = f"{reference.subfolder}/" if reference.subfolder else ""
        encoder = [] if reference.image_encoder else [f"{prefix}image_encoder/{_TRANSFORMERS}"]
        return [f"{prefix}{reference.weight_name}", *encoder]
    kind = _kind(reference)
    prefix = f"{reference.subfolder}/" if reference.subfolder else ""
    if kind == "diffusers":
        return [f"{prefix}{_DIFFUSERS}"]
    if kind == "pipeline":
        parts = [p for p in _PIPELINE_PARTS if read_configuration(reference, f"{p}/config.json") is not None]
        own = {part: _DIFFUSERS if part in ("unet", "vae") else _TRANSFORMERS for part in parts}
        return [f"{part}/{name}" for part, name in own.items()] or ["model_index.json"]
    index = find_file(reference, f"{prefix}{_TRANSFORMERS}.index.json")
    if index is None:
        return [f"{prefix}{_TRANSFORMERS}"]
    return sorted(f"{prefix}{name}" for name in set(json.loads(index.read_text())["weight_map"].values()))
