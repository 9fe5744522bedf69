"""Where shards, tables and reports lie: on the disk, or in a bucket that is named ``s3://bucket/prefix``."""

from __future__ import annotations

import hashlib
import io
import mimetypes
import re
from pathlib import Path

from editfoundry.data.s3_client import ask_s3, require_bucket, s3_client
from editfoundry.data.s3_path import DIGEST, S3Path
from editfoundry.errors import BadInputError, UnavailableError

# A Path made of such an address has kept one slash of two.
_ADDRESS = re.compile(r"s3:/{1,2}[^/]+(/.*)?")


def locate(path: Path | str) -> Path:
    """Return the path itself, or an `S3Path` for ``s3://bucket/key``, also where a `Path` was made of that before."""
    if isinstance(path, S3Path):
        return path
    return S3Path(path) if _ADDRESS.fullmatch(str(path)) else Path(path)


def is_remote(path: Path | str) -> bool:
    """Return whether a path is an address in a bucket."""
    return isinstance(locate(path), S3Path)


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

    Each gets the content type of its name, so that a browser shows a report instead of saving it. Pages go last, so
    that none shows pictures that are not there yet. What the bucket has already is not sent again, and everything is
    looked for once more at the end.

    Raises:
        BadInputError: ``address`` names no bucket, there is no such folder or bucket, or S3 refuses.
        UnavailableError: some files could not be copied; the same call completes them.
    """
    target = locate(address)
    if not isinstance(target, S3Path):
        raise BadInputError(f"{address}: is no address s3://BUCKET/PREFIX")
    if not folder.is_dir():
        raise BadInputError(f"{folder}: no such folder")
    require_bucket(target.bucket)
    names = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    shown = [name for name in names if not any(part.startswith(".") for part in name.parts)]
    places = {folder / name: S3Path(target, *name.parts) for name in shown}
    missing = {path: place for path, place in places.items() if not _is_there(path, place)}
    sent: set[Path] = set()
    reason = "they are not there after they were sent"
    try:
        for path in sorted(missing, key=lambda path: path.suffix == ".html"):
            _upload(path, missing[path])
            sent.add(path)
        missing = {path: place for path, place in missing.items() if not _is_there(path, place)}
    except UnavailableError as error:
        reason = str(error)
        missing = {path: place for path, place in missing.items() if path not in sent}
    if missing:
        listed = ", ".join(str(path.relative_to(folder)) for path in list(missing)[:5])
        more = ", ..." if len(missing) > 5 else ""
        raise UnavailableError(
            f"{target}: {len(missing)} of {len(places)} files are missing: {listed}{more}; {reason}; "
            "the same command copies what is missing"
        )
    return [str(place) for place in places.values()]


def _upload(path: Path, place: S3Path) -> None:
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    extra = {"ContentType": kind, "Metadata": {DIGEST: _digest(path)}}
    ask_s3(
        f"{place}: cannot be written",
        lambda: s3_client().upload_file(str(path), place.bucket, place.key, ExtraArgs=extra),
    )


def _is_there(path: Path, place: S3Path) -> bool:
    """Return whether the bucket holds this file's bytes."""
    try:
        found = ask_s3(
            f"{place}: cannot be asked for", lambda: s3_client().head_object(Bucket=place.bucket, Key=place.key)
        )
    except FileNotFoundError:
        return False
    is_same = found["ContentLength"] == path.stat().st_size and found["Metadata"].get(DIGEST) == _digest(path)
    return bool(is_same)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
