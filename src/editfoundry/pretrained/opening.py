"""Opens the model of a role by whatever library, with one clear line where that cannot be done.

Libraries fill weights that a checkpoint lacks with random numbers, and build whatever a configuration says by default;
both are refused here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from editfoundry.errors import BadInputError, MissingModelError, one_line
from editfoundry.pretrained.checkpoint_configs import check_configs
from editfoundry.pretrained.quiet_libraries import quiet_libraries
from editfoundry.profiles import ModelReference, missing_model

_NUM_SHOWN = 3
"""Names of missing weights that a message holds."""


@contextmanager
def opening(reference: ModelReference, kind: str) -> Iterator[dict[str, Any]]:
    """Check a model's folder, then yield the options that every ``from_pretrained`` of it is called with.

    Args:
        reference: the model; the configurations of a folder are checked before the body runs.
        kind: what it is opened as, for messages.

    Raises:
        MissingModelError: the model is not on this machine and cannot be fetched.
        BadInputError: the folder asks for what no model has, or the body raised because its files contradict each
            other.
    """
    quiet_libraries()
    folder = Path(reference.location)
    if folder.is_dir():
        check_configs(folder / reference.subfolder)
    try:
        yield {"revision": reference.revision, "local_files_only": reference.is_local}
    except (BadInputError, torch.OutOfMemoryError, MemoryError):
        raise
    except Exception as error:  # Whatever a library raises for a folder whose files contradict each other.
        if not folder.is_dir():
            if isinstance(error, (OSError, ValueError)):
                raise missing_model(reference, error) from error
            raise
        # A file that is not there is a part of the model that is not; anything else is damage.
        told = MissingModelError if isinstance(error, OSError) else BadInputError
        reason = one_line(f"{type(error).__name__}: {error}", 300)
        raise told(f"role {reference.role!r}: {reference.location}: cannot be loaded as {kind} ({reason})") from error


def load_whole(model_class: Any, reference: ModelReference, unused: tuple[str, ...] = (), **options: Any) -> Any:
    """Call ``from_pretrained`` of a class of transformers or diffusers; every weight must come from the files.

    Args:
        model_class: the class, or one of transformers' ``AutoModel`` classes.
        reference: the model.
        unused: beginnings of the names of weights that nothing here computes with, and that may be missing.
        options: of ``from_pretrained``.

    Raises:
        BadInputError: the checkpoint lacks weights, or its configuration asks for more numbers than its files can hold.
    """
    check_size(model_class, reference, options.get("subfolder", ""))
    model, told = model_class.from_pretrained(reference.location, output_loading_info=True, **options)
    # Of a checkpoint in shards diffusers does not tell what is missing, and leaves it without numbers.
    empty = (name for name, value in model.state_dict().items() if value.is_meta)
    missing = sorted(name for name in {*told["missing_keys"], *empty} if not name.startswith(unused))
    if missing:
        shown = ", ".join(missing[:_NUM_SHOWN]) + (", ..." if len(missing) > _NUM_SHOWN else "")
        raise BadInputError(
            f"role {reference.role!r}: {_place(reference, options.get('subfolder', ''))}: lacks {len(missing)} of the "
            f"weights of its {type(model).__name__}: {shown}; fetch it anew, or name another model"
        )
    return model


def check_size(model_class: Any, reference: ModelReference, subfolder: str = "") -> None:
    """Refuse a folder whose configuration asks for more numbers than its files have bytes.

    What a configuration leaves out, libraries take from their defaults: a part that is empty is a model of seven
    billion numbers. It is built without numbers here, which takes no memory. A hub id is taken on trust.

    Raises:
        BadInputError: it does.
    """
    folder = Path(reference.location) / subfolder
    if not folder.is_dir():
        return
    num_bytes = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    with torch.device("meta"):
        wanted = sum(parameter.numel() for parameter in _built(model_class, folder).parameters())
    if num_bytes and wanted > num_bytes:
        raise BadInputError(
            f"role {reference.role!r}: {folder / 'config.json'} asks for a model of {wanted:,} numbers, but the "
            f"weights beside it are {num_bytes:,} bytes: it is not theirs"
        )


def _built(model_class: Any, folder: Path) -> Any:
    from transformers import AutoConfig, PreTrainedModel

    if hasattr(model_class, "load_config"):  # One of diffusers, which need not be imported to tell.
        return model_class.from_config(model_class.load_config(folder))
    if issubclass(model_class, PreTrainedModel):
        return model_class(model_class.config_class.from_pretrained(folder))
    return model_class.from_config(AutoConfig.from_pretrained(folder))


def _place(reference: ModelReference, subfolder: str) -> str:
    return f"{reference.location}/{subfolder}" if subfolder else reference.location
