"""One learnt task as a file of a few kilobytes, tied to the editor that it was learnt for (task inversion)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from editfoundry.editors.families.emu_edit.task_table import FOLDER
from editfoundry.editors.triplet_training.content_hashes import editor_hash
from editfoundry.errors import BadInputError

SUFFIX = ".safetensors"
_KEY = "vector"


@dataclass(frozen=True)
class InvertedTask:
    """What a file of one task holds."""

    name: str
    vector: Tensor
    """``(D,)`` float32."""
    editor: str
    """`frozen_hash` of the editor that it was learnt for."""


def frozen_hash(editor: str, revision: str = "main") -> str:
    """Hash the parts of an editor that a learnt task depends on."""
    return editor_hash(editor, ("unet", "text_encoder", "tokenizer", "vae"), revision)


def write_task(folder: Path, task: InvertedTask) -> Path:
    """Write ``folder/NAME.safetensors`` and return its path."""
    path = folder / f"{task.name}{SUFFIX}"
    told = {"task": task.name, "editor": task.editor}
    save_file({_KEY: task.vector.detach().float().cpu().contiguous()}, path, metadata=told)
    return path


def find_task(name: str, editor: Path) -> Path | None:
    """Return the file that ``name`` means, or None: a path; the folder that a task inversion wrote; or a name of a file
    that lies in the editor's folder ``task_embeddings``.
    """
    path = Path(name)
    if path.is_dir():
        files = sorted(path.glob(f"*{SUFFIX}"))
        return files[0] if len(files) == 1 else None
    candidates = (path, path.with_name(path.name + SUFFIX), editor / FOLDER / f"{path.name}{SUFFIX}")
    return next((one for one in candidates if one.suffix == SUFFIX and one.is_file()), None)


def read_task(path: Path, editor: Path, width: int) -> InvertedTask:
    """Read a task that was learnt for the editor in the folder ``editor``, whose cross-attention is ``width`` wide.

    Raises:
        BadInputError: the file is none of ours, or was learnt for another editor.
    """
    try:
        with safe_open(path, framework="pt") as file:
            told, vector = file.metadata() or {}, file.get_tensor(_KEY)
    except (OSError, SafetensorError) as error:
        raise BadInputError(f"{path}: not a learnt task; make it with editfoundry train --invert-task") from error
    if told.get("editor") != frozen_hash(str(editor)) or vector.shape != (width,):
        raise BadInputError(f"{path}: was learnt for another editor than {editor}; learn it again for this one")
    return InvertedTask(told.get("task", path.stem), vector.to(torch.float32), told["editor"])
