"""Where shards, tables and reports lie: on the disk, or in a bucket that is named ``s3://bucket/prefix``."""

from __future__ import annotations

import io
import mimetypes
import re
from pathlib import Path

from editfoundry.data.s3_client import s3_answering, s3_client
from editfoundry.data.s3_path import S3Path
from editfoundry.errors import BadInputError

# A Path made of such an address has kept one slash of two.
_ADDRESS = re.compile(r"s3:/{1,2}[^/]+(/.*)?")


def locate(path: Path | str) -> Path:
    """Return the path itself, or an `S3Path` for ``s3://bucket/key``, also where a `Path` was made of that before."""
    if isinstance(path, S3Path):
        return path
    return S3Path(path) if _ADDRESS.fullmatch(str(path)) else Path(path)


def read_range(path: Path | str, offset: int, length: int) -> bytes:
    """Return ``length`` bytes from ``offset`` on, fewer where the file ends before; from S3 with one request."""
    place = locate(path)
    if isinstance(place, S3Path):
        return place.read_range(offset, length)
    with place.open("rb") as file:
        file.seek(offset)
        return file.read(length)


def parquet_source(path: Path) -> Path | io.BytesIO:
    """Return what pyarrow can open: a file on the disk by its path, one in a bucket by its bytes."""
    return io.BytesIO(path.read_bytes()) if isinstance(path, S3Path) else path


def require_on_disk(folder: Path) -> None:
    """Raise BadInputError where an output folder is an address in S3."""
    place = locate(folder)
    if isinstance(place, S3Path):
        raise BadInputError(f"{place}: S3 is only read; write to the disk and copy it with editfoundry publish")


def upload_folder(folder: Path, address: str) -> list[str]:
    """Copy every file of a folder under ``s3://bucket/prefix``, hidden ones left out; return their addresses.

    Each gets the content type of its name, so that a browser shows a report instead of saving it.

    Raises:
        BadInputError: ``address`` names no bucket, there is no such folder, or S3 cannot be written to.
    """
    target = locate(address)
    if not isinstance(target, S3Path):
        raise BadInputError(f"{address}: is no address s3://BUCKET/PREFIX")
    if not folder.is_dir():
        raise BadInputError(f"{folder}: no such folder")
    names = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    shown = [name for name in names if not any(part.startswith(".") for part in name.parts)]
    return [_upload(folder / name, S3Path(target, *name.parts)) for name in shown]


def _upload(path: Path, place: S3Path) -> str:
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    with s3_answering(f"{place}: cannot be written"):
        s3_client().upload_file(str(path), place.bucket, place.key, ExtraArgs={"ContentType": kind})
    return str(place)
