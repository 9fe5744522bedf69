"""Files of prompts and exemplars: ours by name, anybody's by path."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from editfoundry.data.untrusted import read_toml
from editfoundry.errors import BadInputError


def read_prompt_file(name_or_path: str, folder: Path, what: str) -> tuple[Path, dict[str, Any]]:
    """Return a TOML file's path and content; a name without ``.toml`` stands for a file of ``folder``.

    Raises:
        BadInputError: there is no such file, or it is not TOML; ``what`` says in the message what was looked for.
    """
    path = Path(name_or_path)
    if path.suffix != ".toml":
        path = folder / f"{name_or_path}.toml"
    if not path.is_file():
        known = ", ".join(sorted(found.stem for found in folder.glob("*.toml")))
        raise BadInputError(f"no {what} {name_or_path!r}: use one of {known}, or the path of a TOML file")
    return path, read_toml(path)
