"""Opens a diffusers folder or hub id, and turns a missing one into one clear line."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import torch

from editfoundry.errors import BadInputError
from editfoundry.pretrained.checkpoint_configs import check_configs
from editfoundry.pretrained.runtime import Runtime, quiet_libraries
from editfoundry.profiles import ModelReference, missing_model


def open_pipeline(pipeline_class: type[Any], reference: ModelReference, runtime: Runtime) -> Any:
    """Load a pipeline in the runtime's precision, on its device, without its progress bar and its safety checker.

    A checker paints some pictures black, which would be scored as edits, and other checkpoints of the same class have
    none; so no editor and no painter has one here. Who shows pictures to others puts a checker of their own behind it.

    Raises:
        MissingModelError: the model is not on this machine and cannot be fetched.
    """
    pipeline: Any = open_model(pipeline_class, reference, runtime, **without_safety_checker(pipeline_class))
    pipeline.set_progress_bar_config(disable=True)
    return pipeline.to(runtime.device)


def without_safety_checker(pipeline_class: type[Any]) -> dict[str, Any]:
    """Return the options of ``from_pretrained`` that leave the optional safety checker out, where the class has one."""
    off = {"safety_checker": None, "requires_safety_checker": False}
    return off if off.keys() <= inspect.signature(pipeline_class.__init__).parameters.keys() else {}


def open_model(model_class: type[Any], reference: ModelReference, runtime: Runtime, **options: Any) -> Any:
    """Load a diffusers pipeline or model in the runtime's precision, from safetensors alone.

    Raises:
        MissingModelError: the model is not on this machine and cannot be fetched.
        BadInputError: a folder holds something that cannot be loaded.
    """
    quiet_libraries()
    if Path(reference.location).is_dir():
        check_configs(Path(reference.location))
    try:
        return model_class.from_pretrained(
            reference.location,
            revision=reference.revision,
            torch_dtype=runtime.dtype,
            local_files_only=reference.is_local,
            use_safetensors=True,
            **options,
        )
    except (OSError, ValueError) as error:
        raise missing_model(reference, error) from error
    except Exception as error:  # Whatever a library raises for a folder whose files contradict each other.
        if isinstance(error, (torch.OutOfMemoryError, MemoryError)) or not Path(reference.location).is_dir():
            raise
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise BadInputError(f"{reference.location}: cannot be loaded as {model_class.__name__} ({reason})") from error


def pipeline_class_name(reference: ModelReference) -> str:
    """Return the class that the model's ``model_index.json`` names.

    Raises:
        MissingModelError: the model is not on this machine and cannot be fetched.
    """
    from diffusers import DiffusionPipeline

    quiet_libraries()
    try:
        config = DiffusionPipeline.load_config(
            reference.location, revision=reference.revision, local_files_only=reference.is_local
        )
    except (OSError, ValueError) as error:
        raise missing_model(reference, error) from error
    return str(config.get("_class_name"))
