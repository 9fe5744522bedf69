"""What every test process sets before torch is imported, and what no test file may leave behind."""

import os
import sys
from collections.abc import Iterator

import pytest

# Workers share the cores: a pool of threads in each only makes them wait, and sums depend on the number of threads.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(autouse=True, scope="module")
def own_environment() -> Iterator[None]:
    """Give every file the environment that the run began with: MLflow and DVC write addresses and keys into it."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)
    # Both remember where the credentials of their first use lay.
    if "boto3" in sys.modules:
        sys.modules["boto3"].DEFAULT_SESSION = None
    if "s3fs" in sys.modules:
        sys.modules["s3fs"].S3FileSystem.clear_instance_cache()
