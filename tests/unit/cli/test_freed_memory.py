"""Memory that tensors free is kept by the process."""

import os
import platform
import subprocess
import sys

import pytest

from editfoundry.cli.freed_memory import VARIABLES

FAULTS = """
import resource, torch
{first}
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for size in range(1_000_000, 1_050_000, 1_000):
        torch.ones(size)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
torch.ones(900_000)
print(faults())
"""
KEEP = "from editfoundry.cli.freed_memory import keep_freed_memory; keep_freed_memory()"


def faults(first: str) -> int:
    """Return how many pages the system had to give for fifty tensors, each a little larger than the one before."""
    environment = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    done = subprocess.run(
        [sys.executable, "-c", FAULTS.format(first=first)], env=environment, capture_output=True, check=True
    )
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_pages_are_asked_of_the_system_once() -> None:
    assert faults(KEEP) * 10 < faults("")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_processes_that_are_started_do_the_same_and_what_was_set_stays() -> None:
    tell = KEEP + f"; import os; print(*(os.environ[name] for name in sorted({list(VARIABLES)!r})))"
    mmap, trim = sorted(VARIABLES)
    environment = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    done = subprocess.run(
        [sys.executable, "-c", tell], env={**environment, trim: "131072"}, capture_output=True, check=True, text=True
    )
    assert done.stdout.split() == [str(VARIABLES[mmap][1]), "131072"]
