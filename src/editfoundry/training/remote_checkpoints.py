"""Copies of resumable checkpoints in an S3 bucket, for machines that can vanish with their disks.

A checkpoint is there when its history is, which is uploaded last; the endpoint and the keys come from the environment
(``AWS_ENDPOINT_URL``, ``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY``, or AWS's own files).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from editfoundry.data.s3_client import retried, s3_client
from editfoundry.errors import BadInputError, one_line
from editfoundry.training.failures import TrainingError
from editfoundry.training.history import FILE_NAME


@dataclass(frozen=True)
class RemoteCheckpoints:
    """The folder ``s3://bucket/prefix`` with one folder ``step-N`` a checkpoint."""

    uri: str
    bucket: str
    prefix: str
    """Ends with a slash, or is empty."""
    client: Any

    @classmethod
    def at(cls, uri: str) -> RemoteCheckpoints:
        """Open ``s3://BUCKET/PREFIX``; nothing is asked of the server yet.

        Raises:
            BadInputError: no bucket is named.
        """
        bucket, _, prefix = uri.removeprefix("s3://").partition("/")
        if not bucket:
            raise BadInputError(f"checkpoint_uri is {uri!r}, but must be an address s3://BUCKET/PREFIX")
        return cls(uri, bucket, f"{prefix.strip('/')}/" if prefix.strip("/") else "", s3_client())

    def push(self, checkpoint: Path, num_kept: int) -> None:
        """Upload a complete checkpoint, then remove all but the newest ``num_kept``.

        Raises:
            TrainingError: the bucket cannot be written to; the checkpoint on the disk is good.
        """
        files = sorted(path for path in checkpoint.rglob("*") if path.is_file())
        files.sort(key=lambda path: path.name == FILE_NAME)
        with self._answering(f"{checkpoint.name} is saved on the disk, but cannot be copied"):
            # Some servers would make a bucket of a name that is misspelt.
            retried(partial(self.client.head_bucket, Bucket=self.bucket))
            for path in files:
                key = f"{self.prefix}{checkpoint.name}/{path.relative_to(checkpoint).as_posix()}"
                retried(partial(self.client.upload_file, str(path), self.bucket, key))
            for step in self._steps()[:-num_kept]:
                self._delete(f"step-{step}")

    def pull_newest(self, folder: Path, newer_than: int) -> Path | None:
        """Fetch the newest checkpoint into ``folder`` if its step is above ``newer_than``; return it, or None.

        Raises:
            TrainingError: the bucket cannot be read.
        """
        with self._answering("the checkpoints cannot be read"):
            newer = [step for step in self._steps() if step > newer_than]
            if not newer:
                return None
            name = f"step-{newer[-1]}"
            fetched = folder / f".{name}.fetched"
            shutil.rmtree(fetched, ignore_errors=True)
            for key in self._keys(f"{name}/"):
                target = fetched / _inside(key.removeprefix(f"{self.prefix}{name}/"))
                target.parent.mkdir(parents=True, exist_ok=True)
                retried(partial(self.client.download_file, self.bucket, key, str(target)))
        shutil.rmtree(folder / name, ignore_errors=True)
        os.replace(fetched, folder / name)
        return folder / name

    def clear(self) -> None:
        """Remove all checkpoints, as a finished run does with those on its disk."""
        with self._answering("the run is finished, but its checkpoints cannot be removed"):
            for step in self._steps():
                self._delete(f"step-{step}")

    def _steps(self) -> list[int]:
        names = (key.removeprefix(self.prefix).split("/") for key in self._keys("step-"))
        done = (name[0].removeprefix("step-") for name in names if name[1:] == [FILE_NAME])
        return sorted(int(step) for step in done if step.isdigit())

    def _keys(self, start: str) -> list[str]:
        def request() -> list[str]:
            pages = self.client.get_paginator("list_objects_v2")
            found = pages.paginate(Bucket=self.bucket, Prefix=self.prefix + start)
            return [entry["Key"] for page in found for entry in page.get("Contents", ())]

        return retried(request)

    def _delete(self, name: str) -> None:
        # The history goes first: half a checkpoint must not look whole.
        keys = sorted(self._keys(f"{name}/"), key=lambda key: not key.endswith(f"/{FILE_NAME}"))
        for key in keys:
            retried(partial(self.client.delete_object, Bucket=self.bucket, Key=key))

    @contextmanager
    def _answering(self, what: str) -> Iterator[None]:
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except (Boto3Error, BotoCoreError, ClientError) as error:
            reason = one_line(error, 200)
            raise TrainingError(f"{self.uri}: {what} ({reason}); the same command goes on from there") from error


def _inside(name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise TrainingError(f"the bucket holds a checkpoint with a file {name!r}, which would leave its folder")
    return path
