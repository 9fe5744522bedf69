"""A stage that drops everything it reads has been given the wrong input, and must not look like one that went well."""

from __future__ import annotations

from pathlib import Path

from editfoundry.data.stage_result import StageResult
from editfoundry.errors import BadInputError


def require_something_kept(result: StageResult, source: Path, example: str = "") -> StageResult:
    """Return the result of reading ``source``, after checking that it kept a record.

    Args:
        result: of the whole input, not of one shard.
        source: what was read, for the error.
        example: the particulars of one dropped record, for the error.

    Raises:
        BadInputError: records were read and none was kept; the message counts the reasons.
    """
    if result.num_in == 0 or result.num_out > 0:
        return result
    reasons = ", ".join(f"{reason} {count}" for reason, count in result.rejected.items())
    shown = f"; for example: {example}" if example else ""
    raise BadInputError(f"{source}: none of its {result.num_in} records was kept ({reasons}){shown}")
