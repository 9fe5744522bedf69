"""Failures as one clear line, and a second try for what may only be away for a moment."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from dagster_project.defs.resources import Foundry
from editfoundry.data.atomic import is_out_of_space
from editfoundry.errors import BadInputError, UnavailableError
from editfoundry.training.failures import TrainingError


@contextmanager
def failing_in_one_line(context: dg.AssetExecutionContext | dg.OpExecutionContext, foundry: Foundry) -> Iterator[None]:
    """Turn the errors that a person can mend into Dagster's: one line, and retries only where a retry can help.

    Raises:
        dg.Failure: of a BadInputError or a TrainingError, at once; of an UnavailableError, after the last retry.
        dg.RetryRequested: of an UnavailableError.
    """
    try:
        yield
    except (BadInputError, TrainingError) as error:
        raise dg.Failure(str(error), allow_retries=False) from error
    except UnavailableError as error:
        if context.retry_number >= foundry.max_retries:
            raise dg.Failure(f"{error}; run it again later", allow_retries=False) from error
        context.log.warning(f"{error}; trying again in {foundry.retry_seconds:g} s")
        raise dg.RetryRequested(max_retries=foundry.max_retries, seconds_to_wait=foundry.retry_seconds) from error
    except Exception as error:
        # What is written by no function of ours, such as a library's cache.
        if not is_out_of_space(error):
            raise
        told = f"{error}; the disk is full: make room, then run it again"
        raise dg.Failure(told, allow_retries=False) from error
