"""The code location: everything under ``defs/`` is found and loaded."""

from pathlib import Path

import dagster as dg

FORKED = dg.multiprocess_executor.configured(
    {"start_method": {"forkserver": {"preload_modules": ["dagster_project.preloaded"]}}}
)
"""A process for each step, see `dagster_project.preloaded`."""


@dg.definitions
def defs() -> dg.Definitions:
    """Load every asset, check and resource under ``defs/``."""
    found = dg.load_from_defs_folder(path_within_project=Path(__file__).parent)
    return dg.Definitions.merge(found, dg.Definitions(executor=FORKED))
