"""Opens a diffusers folder or hub id, and turns a missing one into one clear line."""

from __future__ import annotations

from typing import Any

from editfoundry.pretrained.opening import opening
from editfoundry.pretrained.runtime import Runtime
from editfoundry.profiles import ModelReference


def open_pipeline(pipeline_class: type[Any], reference: ModelReference, runtime: Runtime) -> Any:
    """Load a pipeline in the runtime's precision, on its device, without its progress bar.

    Raises:
        MissingModelError: the model is not on this machine and cannot be fetched.
    """
    pipeline: Any = open_model(pipeline_class, reference, runtime)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline.to(runtime.device)


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
