"""Files and folders in S3 buckets that are asked and read as if they lay on the disk."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Generator
from pathlib import PosixPath
from types import SimpleNamespace
from typing import Any

from editfoundry.data.ranged_file import RangedFile
from editfoundry.data.s3_client import ask_s3, error_code, s3_client
from editfoundry.errors import BadInputError

READ_AHEAD = 8 * 2**20
"""Bytes fetched at once where a file is read from its start to its end."""

DIGEST = "sha256"
"""Name of an object's metadata that `storage.upload_folder` gives; S3's own ETag is no hash of a file that was sent in
parts."""

_BEYOND_THE_END = ("InvalidRange", "416")
"""The status alone where the error's body was cut."""
_REPLACED = ("PreconditionFailed", "412")


class S3Path(PosixPath):
    """``s3://bucket/key``, for reading; a library that wants a file on the disk is refused."""

    def __str__(self) -> str:
        return re.sub("^s3:/+", "s3://", super().__str__())

    def __fspath__(self) -> str:
        raise BadInputError(f"{self}: only shards and tables are read from S3; copy this to the disk first")

    @property
    def bucket(self) -> str:
        """The bucket's name."""
        return str(self.parts[1])

    @property
    def key(self) -> str:
        """The name inside the bucket, without a slash at its start."""
        return "/".join(self.parts[2:])

    def resolve(self, strict: bool = False) -> S3Path:
        """Return the path itself: there are no links and no current folder."""
        return self

    def is_file(self, **_: Any) -> bool:
        """Return whether there is an object of this name."""
        return self._size() is not None

    def is_dir(self, **_: Any) -> bool:
        """Return whether there are objects below this name."""
        found: Any = ask_s3(
            f"{self}: cannot be listed",
            lambda: s3_client().list_objects_v2(Bucket=self.bucket, Prefix=self._below(), MaxKeys=1),
        )
        return bool(found.get("Contents"))

    def exists(self, **_: Any) -> bool:
        """Return whether there is such an object, or any below it."""
        return self.is_file() or self.is_dir()

    def stat(self, **_: Any) -> Any:
        """Return an object with ``st_size``, in bytes.

        Raises:
            FileNotFoundError: there is no such object.
        """
        size = self._size()
        if size is None:
            raise FileNotFoundError(str(self))
        return SimpleNamespace(st_size=size)

    def version(self) -> str:
        """Return what tells the object's bytes from others: its sha256 where it was sent with one, else its ETag.

        Raises:
            FileNotFoundError: there is no such object.
        """
        found = self._head()
        if found is None:
            raise FileNotFoundError(str(self))
        return str(found["Metadata"].get(DIGEST) or found["ETag"])

    def glob(self, pattern: str, **_: Any) -> Generator[S3Path, None, None]:
        """Yield what lies right in this folder and matches a pattern without slashes."""
        for name, _etag in list_folder(self):
            if fnmatch.fnmatchcase(name, pattern):
                yield self / name

    def open(self, mode: str = "rb", buffering: int = -1, *_: Any, **__: Any) -> Any:
        """Open for reading bytes; each request fetches at least ``buffering`` bytes, by default `READ_AHEAD`.

        What is not there raises FileNotFoundError at the first read, and what is replaced meanwhile BadInputError.
        """
        if mode != "rb":
            raise BadInputError(f"{self}: S3 is only read; write to the disk and copy it with editfoundry publish")
        version: list[str] = []

        def read_range(offset: int, length: int) -> bytes:
            data, etag = self._read_range(offset, length, version[0] if version else None)
            version[:] = version or ([etag] if etag else [])
            return data

        return RangedFile(read_range, lambda: int(self.stat().st_size), READ_AHEAD if buffering < 0 else buffering)

    def read_bytes(self) -> bytes:
        """Return the whole object."""
        return ask_s3(f"{self}: cannot be read", lambda: _whole(s3_client().get_object(**self._name())))

    def read_text(self, encoding: str | None = None, errors: str | None = None, **_: Any) -> str:
        """Return the whole object as text."""
        return self.read_bytes().decode(encoding or "utf-8", errors or "strict")

    def read_range(self, offset: int, length: int) -> bytes:
        """Return ``length`` bytes from ``offset`` on, fewer where the object ends before; one request."""
        return self._read_range(offset, length)[0]

    def _read_range(self, offset: int, length: int, version: str | None = None) -> tuple[bytes, str | None]:
        """Return bytes and the ETag of the object that they are of, which must be ``version`` where that is given."""
        from botocore.exceptions import ClientError

        wanted = {"Range": f"bytes={offset}-{offset + max(length, 1) - 1}", **({"IfMatch": version} if version else {})}

        def request() -> tuple[bytes, str | None]:
            try:
                answer = s3_client().get_object(**self._name(), **wanted)
            except ClientError as error:
                if error_code(error) in _BEYOND_THE_END:
                    return b"", version
                if error_code(error) in _REPLACED:
                    raise BadInputError(
                        f"{self}: was replaced while it was read; run the same command again"
                    ) from error
                raise
            data = _whole(answer)
            # A server that takes no ranges sends everything.
            begin = 0 if "ContentRange" in answer else offset
            return data[begin : begin + length], answer.get("ETag")

        return ask_s3(f"{self}: cannot be read", request)

    def _size(self) -> int | None:
        found = self._head()
        return None if found is None else int(found["ContentLength"])

    def _head(self) -> dict[str, Any] | None:
        """Return what S3 says of the object, or None where there is none; one request."""
        if not self.key:
            return None
        try:
            return ask_s3(f"{self}: cannot be asked for", lambda: dict(s3_client().head_object(**self._name())))
        except FileNotFoundError:
            return None

    def _name(self) -> dict[str, str]:
        return {"Bucket": self.bucket, "Key": self.key}

    def _below(self) -> str:
        return f"{self.key}/" if self.key else ""


def list_folder(folder: S3Path) -> list[tuple[str, str]]:
    """Return the names that lie right in a folder, each with its ETag; a thousand of them take one request."""
    prefix = f"{folder.key}/" if folder.key else ""
    found: list[tuple[str, str]] = []
    # The delimiter leaves out what lies in folders further down.
    wanted = {"Bucket": folder.bucket, "Prefix": prefix, "Delimiter": "/"}
    while True:
        page: Any = ask_s3(f"{folder}: cannot be listed", lambda: s3_client().list_objects_v2(**wanted))
        found += [(entry["Key"].removeprefix(prefix), entry["ETag"]) for entry in page.get("Contents", ())]
        if not page.get("IsTruncated"):
            return found
        wanted["ContinuationToken"] = page["NextContinuationToken"]


def _whole(answer: dict[str, Any]) -> bytes:
    """Read a body; one that is cut raises."""
    from botocore.exceptions import IncompleteReadError

    data = bytes(answer["Body"].read())
    if len(data) != answer["ContentLength"]:
        raise IncompleteReadError(actual_bytes=len(data), expected_bytes=answer["ContentLength"])
    return data
