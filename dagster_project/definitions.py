"""The code location: everything under ``defs/`` is found and loaded."""

from pathlib import Path

import dagster as dg


@dg.definitions
def defs() -> dg.Definitions:
    """Load every asset, check and resource under ``defs/``."""
    return dg.load_from_defs_folder(path_within_project=Path(__file__).parent)
