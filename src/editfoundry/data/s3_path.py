"""Files and folders in S3 buckets that are asked and read as if they lay on the disk."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Generator
from pathlib import PosixPath
from types import SimpleNamespace
from typing import Any

from editfoundry.data.ranged_file import RangedFile
from editfoundry.data.s3_client import error_code, s3_answering, s3_client
from editfoundry.errors import BadInputError

READ_AHEAD = 8 * 2**20
"""Bytes fetched at once where a file is read from its start to its end."""


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
        with s3_answering(f"{self}: cannot be listed"):
            found = s3_client().list_objects_v2(Bucket=self.bucket, Prefix=self._below(), MaxKeys=1)
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

    def glob(self, pattern: str, **_: Any) -> Generator[S3Path, None, None]:
        """Yield what lies right in this folder and matches a pattern without slashes."""
        with s3_answering(f"{self}: cannot be listed"):
            pages = s3_client().get_paginator("list_objects_v2")
            # The delimiter leaves out what lies in folders further down.
            for page in pages.paginate(Bucket=self.bucket, Prefix=self._below(), Delimiter="/"):
                names = (entry["Key"].removeprefix(self._below()) for entry in page.get("Contents", ()))
                yield from (self / name for name in names if fnmatch.fnmatchcase(name, pattern))

    def open(self, mode: str = "rb", buffering: int = -1, *_: Any, **__: Any) -> Any:
        """Open for reading bytes; each request fetches at least ``buffering`` bytes, by default `READ_AHEAD`.

        What is not there raises FileNotFoundError at the first read.
        """
        if mode != "rb":
            raise BadInputError(f"{self}: S3 is only read; write to the disk and copy it with editfoundry publish")
        return RangedFile(self.read_range, lambda: int(self.stat().st_size), READ_AHEAD if buffering < 0 else buffering)

    def read_bytes(self) -> bytes:
        """Return the whole object."""
        with s3_answering(f"{self}: cannot be read"):
            return bytes(s3_client().get_object(Bucket=self.bucket, Key=self.key)["Body"].read())

    def read_text(self, encoding: str | None = None, errors: str | None = None, **_: Any) -> str:
        """Return the whole object as text."""
        return self.read_bytes().decode(encoding or "utf-8", errors or "strict")

    def read_range(self, offset: int, length: int) -> bytes:
        """Return ``length`` bytes from ``offset`` on, fewer where the object ends before; one request."""
        from botocore.exceptions import ClientError

        wanted = f"bytes={offset}-{offset + max(length, 1) - 1}"
        with s3_answering(f"{self}: cannot be read"):
            try:
                answer = s3_client().get_object(Bucket=self.bucket, Key=self.key, Range=wanted)
                return bytes(answer["Body"].read()[:length])
            except ClientError as error:
                if error_code(error) == "InvalidRange":
                    return b""
                raise

    def _size(self) -> int | None:
        if not self.key:
            return None
        try:
            with s3_answering(f"{self}: cannot be asked for"):
                return int(s3_client().head_object(Bucket=self.bucket, Key=self.key)["ContentLength"])
        except FileNotFoundError:
            return None

    def _below(self) -> str:
        return f"{self.key}/" if self.key else ""
