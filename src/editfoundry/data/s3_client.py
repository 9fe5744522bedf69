"""One boto3 client a process, and its errors as one clear line.

The endpoint and the keys come from the environment (``AWS_ENDPOINT_URL``, ``AWS_ACCESS_KEY_ID``,
``AWS_SECRET_ACCESS_KEY``, or AWS's own files).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from editfoundry.errors import BadInputError

_SETTINGS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SHARED_CREDENTIALS_FILE")
_MISSING = ("404", "NoSuchKey", "NotFound")


def s3_client() -> Any:
    """Return this process's client for the endpoint and the keys that the environment names now."""
    # A client must not be shared with a forked process.
    return _client_for(os.getpid(), *(os.environ.get(name) for name in _SETTINGS))


@contextmanager
def s3_answering(what: str) -> Iterator[None]:
    """Raise what boto3 raises as BadInputError, or as FileNotFoundError where the object is not there.

    Args:
        what: the start of the message: whose request it is, and what failed.
    """
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (Boto3Error, BotoCoreError, ClientError) as error:
        if error_code(error) in _MISSING:
            raise FileNotFoundError(what) from error
        reason = " ".join(str(error).split())[:200]
        raise BadInputError(f"{what} ({reason}); is AWS_ENDPOINT_URL right, and are there keys?") from error


def error_code(error: Exception) -> str:
    """Return S3's code of a refused request, such as ``InvalidRange``; empty where S3 did not answer."""
    return str(getattr(error, "response", {}).get("Error", {}).get("Code", ""))


@lru_cache(maxsize=8)
def _client_for(*_: object) -> Any:
    import boto3
    from botocore.config import Config

    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    config = Config(connect_timeout=10, read_timeout=120, retries={"mode": "standard"})
    # A session of its own: the default one keeps the keys that it saw first.
    return boto3.Session().client("s3", region_name=region, config=config)
