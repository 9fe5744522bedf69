"""Opens a diffusers folder or hub id, and turns a missing one into one clear line."""

from __future__ import annotations

from typing import Any

from editfoundry.pretrained.runtime import Runtime, quiet_libraries
from editfoundry.profiles import ModelReference, missing_model


def open_pipeline(pipeline_class: type[Any], reference: ModelReference, runtime: Runtime) -> Any:
    """Load a pipeline in the runtime's precision, on its device, without its progress bar.

    Raises:
        MissingModelError: the model is not on this machine and cannot be fetched.
    """
    quiet_libraries()
    try:
        pipeline: Any = pipeline_class.from_pretrained(
            reference.location, revision=reference.revision, torch_dtype=runtime.dtype,
            local_files_only=reference.is_local,
        )  # fmt: skip
    except (OSError, ValueError) as error:
        raise missing_model(reference, error) from error
    pipeline.set_progress_bar_config(disable=True)
    return pipeline.to(runtime.device)
