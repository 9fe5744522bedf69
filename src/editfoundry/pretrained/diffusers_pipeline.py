"""Opens a diffusers folder or hub id, and turns a missing one into one clear line."""

from __future__ import annotations

import inspect
from typing import Any

from editfoundry.pretrained.opening import opening
from editfoundry.pretrained.placement import place
from editfoundry.pretrained.runtime import Runtime
from editfoundry.profiles import ModelReference


def open_pipeline(pipeline_class: type[Any], reference: ModelReference, runtime: Runtime) -> Any:
    """Load a pipeline in the runtime's precision, on its device, without its progress bar and its safety checker.

    A checker paints some pictures black, which would be scored as edits, and other checkpoints of the same class have
    none; so no editor and no painter has one here. Who shows pictures to others puts a checker of their own behind it.

    Raises:
        MissingModelError: the model is not on this machine and cannot be fetched.
    """
    pipeline: Any = open_model(pipeline_class, reference, runtime, **without_safety_checker(pipeline_class))
    pipeline.set_progress_bar_config(disable=True)
    return place(pipeline, runtime)


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
    with opening(reference, model_class.__name__) as common:
        return model_class.from_pretrained(
            reference.location, torch_dtype=runtime.dtype, use_safetensors=True, **common, **options
        )


def pipeline_class_name(reference: ModelReference) -> str:
    """Return the class that the model's ``model_index.json`` names.

    Raises:
        MissingModelError: the model is not on this machine and cannot be fetched.
    """
    from diffusers import DiffusionPipeline

    with opening(reference, "a pipeline") as options:
        config = DiffusionPipeline.load_config(reference.location, **options)
    return str(config.get("_class_name"))
