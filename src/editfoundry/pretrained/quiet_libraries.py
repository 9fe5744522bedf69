"""Keeps libraries from talking while they load models."""

from __future__ import annotations

import os
import sys
import warnings


def quiet_libraries() -> None:
    """Turn off the progress bars and remarks that diffusers and transformers print for every model they load.

    Diffusers takes seconds to import, so that it is not for this: who opens a model of it has imported it before.
    """
    import transformers.utils.logging

    libraries = [transformers.utils.logging]
    if "diffusers" in sys.modules:
        import diffusers.utils.logging

        libraries.append(diffusers.utils.logging)
    for library in libraries:
        library.disable_progress_bar()
        library.set_verbosity_error()
    os.environ.setdefault("DIFFUSERS_VERBOSITY", "error")
    warnings.filterwarnings("ignore", category=FutureWarning, module="diffusers")
