"""Who may write into an output folder: the stage that made it, and nobody else."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from editfoundry.data.storage import require_on_disk
from editfoundry.errors import BadInputError

MARKER = ".editfoundry-stage"


def claim_output(folder: Path, stage: str) -> None:
    """Create ``folder`` with a marker that names ``stage``, or accept one that ``stage`` marked before.

    Raises:
        BadInputError: the folder holds something else, or is no folder.
    """
    folder = Path(folder)
    require_on_disk(folder)
    check_claim(folder, stage)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARKER).write_text(stage + "\n", encoding="utf-8")


def check_claim(folder: Path, stage: str) -> None:
    """Raise BadInputError unless ``folder`` is absent, empty, or marked as made by ``stage``."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise BadInputError(f"{folder}: is a file where an output folder should be; give another path")
    marker = folder / MARKER
    if marker.is_file():
        owner = marker.read_text(encoding="utf-8").strip()
        if owner != stage:
            raise BadInputError(f"{folder}: holds the output of {owner}, not of {stage}; give another folder")
    elif any(folder.iterdir()):
        raise BadInputError(f"{folder}: exists with other content; give an empty or a new folder")


def remove_other_shards(folder: Path, stems: Collection[str], suffixes: Collection[str] = (".tar", ".parquet")) -> None:
    """Remove a stage's files of inputs that are gone: with one of ``suffixes``, and named by none of ``stems``.

    A file's stem is its name up to the first dot, so that ``00000.rejected.parquet`` goes with ``00000.tar``.
    """
    for path in folder.iterdir():
        if path.suffix in suffixes and path.name.split(".")[0] not in stems:
            path.unlink()
