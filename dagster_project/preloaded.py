"""What a step needs before it can begin, imported once a run: its processes are forked from one that has all of it.

Each step has a process of its own, so that a model's memory is freed with it. Started from nothing, every one of them,
a check of a second included, would first load the definitions, and then torch, diffusers and transformers.
"""

from importlib import import_module

from dagster_project.definitions import defs

_LIBRARIES = (
    "torch",
    "accelerate",
    "diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion",
    "transformers.models.clip.modeling_clip",
    "transformers.models.llama.modeling_llama",
    "transformers.models.llava.modeling_llava",
)
"""Imported, not used: a process that is forked must not have begun to compute."""

for _library in _LIBRARIES:
    import_module(_library)
defs()
