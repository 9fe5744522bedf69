"""Opens a diffusers folder or hub id, and turns a missing one into one clear line."""

from __future__ import annotations

import inspect
from typing import Any

from editfoundry.pretrained.opening import load_whole, opening
from editfoundry.pretrained.placement import place
from editfoundry.pretrained.runtime import Runtime
from editfoundry.pretrained.tokenizer_check import check_pipeline_tokenizers
from editfoundry.profiles import ModelReference


def open_pipeline(pipeline_class: type[Any], reference: ModelReference, runtime: Runtime) -> Any:
    """Load a pipeline in the runtime's precision, on its device, without its progress bar and its safety checker.

    A checker paints some pictures black, which would be scored as edits, and other checkpoints of the same class have
    none; so no editor and no painter has one here. Who shows pictures to others puts a checker of their own behind it.

    Raises:
        MissingModelError: the model is not on this machine and cannot be fetched.
        BadInputError: a folder holds something that cannot be loaded, or weights or a tokenizer's words are missing.
    """
    with opening(reference, pipeline_class.__name__) as common:
        own = {"torch_dtype": runtime.dtype, "use_safetensors": True, **common}
        off = without_safety_checker(pipeline_class)
        # Each on its own, since a pipeline does not tell what its models lack.
        models = {
            name: load_whole(model_class, reference, subfolder=name, **own)
            for name, model_class in _model_classes(pipeline_class, reference, common).items()
            if name not in off
        }
        pipeline: Any = pipeline_class.from_pretrained(reference.location, **own, **models, **off)
    check_pipeline_tokenizers(pipeline, reference)
    pipeline.set_progress_bar_config(disable=True)
    return place(pipeline, runtime)


def _model_classes(pipeline_class: type[Any], reference: ModelReference, options: dict[str, Any]) -> dict[str, Any]:
    """Return the parts of a pipeline that have weights, with the classes that ``model_index.json`` names for them."""
    import diffusers
    import transformers

    libraries = {"diffusers": diffusers, "transformers": transformers}
    bases = (diffusers.ModelMixin, transformers.PreTrainedModel)
    found = {}
    for name, value in pipeline_class.load_config(reference.location, **options).items():
        library, kind = value if isinstance(value, list) and len(value) == 2 else (None, None)
        model_class = getattr(libraries.get(library), str(kind), None) if isinstance(library, str) else None
        if isinstance(model_class, type) and issubclass(model_class, bases):
            found[name] = model_class
    return found


def without_safety_checker(pipeline_class: type[Any]) -> dict[str, Any]:
    """Return the options of ``from_pretrained`` that leave the optional safety checker out, where the class has one."""
    off = {"safety_checker": None, "requires_safety_checker": False}
    return off if off.keys() <= inspect.signature(pipeline_class.__init__).parameters.keys() else {}


def open_model(model_class: type[Any], reference: ModelReference, runtime: Runtime, **options: Any) -> Any:
    """Load a model of diffusers in the runtime's precision, from safetensors alone.

    Raises:
        MissingModelError: the model is not on this machine and cannot be fetched.
        BadInputError: a folder holds something that cannot be loaded, or weights are missing.
    """
    with opening(reference, model_class.__name__) as common:
        return load_whole(model_class, reference, torch_dtype=runtime.dtype, use_safetensors=True, **common, **options)


def pipeline_class_name(reference: ModelReference) -> str:
    """Return the class that the model's ``model_index.json`` names.

    Raises:
        MissingModelError: the model is not on this machine and cannot be fetched.
    """
    from diffusers import DiffusionPipeline

    with opening(reference, "a pipeline") as options:
        config = DiffusionPipeline.load_config(reference.location, **options)
    return str(config.get("_class_name"))
