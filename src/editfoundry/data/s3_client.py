"""One boto3 client a process, requests that are sent again where they fail for a moment, and errors as one clear line.

The endpoint and the keys come from the environment (``AWS_ENDPOINT_URL``, ``AWS_ACCESS_KEY_ID``,
``AWS_SECRET_ACCESS_KEY``, or AWS's own files).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, TypeVar

from editfoundry.errors import BadInputError, UnavailableError, one_line

T = TypeVar("T")

NUM_ATTEMPTS = 8
MAX_WAIT_SECONDS = 4.0
"""Longest pause between two attempts; all of them together take about 12 s."""

_SETTINGS = (
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_PROFILE",
)
_MISSING = ("404", "NoSuchKey", "NotFound")
_BUSY = ("SlowDown", "RequestTimeout", "InternalError", "ServiceUnavailable", "Throttling", "TooManyRequests")


def s3_client() -> Any:
    """Return this process's client for the endpoint and the keys that the environment names now."""
    # A client must not be shared with a forked process.
    return _client_for(os.getpid(), *(os.environ.get(name) for name in _SETTINGS))


def ask_s3(what: str, request: Callable[[], T]) -> T:
    """Return what a request gives, its body included; where it fails for a moment it is made anew, as a whole.

    Args:
        what: the start of an error's message: whose request it is, and what failed.
        request: asks `s3_client`, and reads the answer to its end. It must do no harm a second time.

    Raises:
        FileNotFoundError: the object is not there.
        UnavailableError: S3 did not answer in any attempt.
        BadInputError: S3 refuses.
    """
    with s3_answering(what):
        return retried(request)


def retried(request: Callable[[], T]) -> T:
    """Return what a request gives, made anew where it `may_pass`; at last boto3's own error is raised."""
    import tenacity

    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception(may_pass),
        wait=tenacity.wait_random_exponential(multiplier=0.1, max=MAX_WAIT_SECONDS),
        stop=tenacity.stop_after_attempt(NUM_ATTEMPTS),
        reraise=True,
    )
    return retrying(request)


@contextmanager
def s3_answering(what: str) -> Iterator[None]:
    """Raise what boto3 raises as one of the errors of `ask_s3`."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (Boto3Error, BotoCoreError, ClientError) as error:
        code, reason = error_code(error), one_line(error, 200)
        if code in _MISSING:
            raise FileNotFoundError(what) from error
        if may_pass(error):
            told = f"{what} ({reason}); is AWS_ENDPOINT_URL right? The same command goes on from there"
            raise UnavailableError(told) from error
        raise BadInputError(f"{what} ({reason}); is AWS_ENDPOINT_URL right, and are there keys?") from error


def require_bucket(bucket: str) -> None:
    """Raise BadInputError where there is no such bucket: some servers would make one for whatever is written."""
    try:
        ask_s3(f"s3://{bucket}: cannot be asked for", lambda: s3_client().head_bucket(Bucket=bucket))
    except FileNotFoundError:
        raise BadInputError(f"s3://{bucket}: no such bucket; make it first, or mend its name") from None


def may_pass(error: BaseException) -> bool:
    """Return whether an error of boto3 may be gone at the next attempt: no answer, half of one, or a busy server."""
    from boto3.exceptions import Boto3Error
    from botocore import exceptions

    if isinstance(error, Boto3Error):
        # It hides what it was made of, except where its own attempts are over.
        cause = error.__cause__ or error.__context__
        return type(error).__name__ == "RetriesExceededError" or (cause is not None and may_pass(cause))
    if isinstance(error, exceptions.ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return error_code(error) in _BUSY or status == 429 or status >= 500
    broken = (
        exceptions.ConnectionError,
        exceptions.HTTPClientError,
        exceptions.IncompleteReadError,
        exceptions.FlexibleChecksumError,
    )
    return isinstance(error, broken)


def error_code(error: Exception) -> str:
    """Return S3's code of a refused request, such as ``InvalidRange``; empty where S3 did not answer."""
    response = getattr(error, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""


@lru_cache(maxsize=8)
def _client_for(*_: object) -> Any:
    import boto3
    from botocore.config import Config

    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    config = Config(connect_timeout=10, read_timeout=120, retries={"mode": "standard"})
    # A session of its own: the default one keeps the keys that it saw first.
    return boto3.Session().client("s3", region_name=region, config=config)
