"""One readable line when a run fails, for a log and for a webhook."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Sequence

WEBHOOK_VARIABLE = "EDITFOUNDRY_ALERT_WEBHOOK"
"""Environment variable: the address that alerts are posted to. It may hold a secret, so it is never logged."""
MAX_CHARS = 600
_CLASS = re.compile(r"^(?:\w+\.)+\w+: ")

log = logging.getLogger(__name__)


def alert_text(job: str, run_id: str, failures: Sequence[tuple[str, str]]) -> str:
    """Return one line: which job, which steps, why.

    Args:
        job: its name.
        run_id: of the run; its first eight characters are shown.
        failures: step and error message of each step that failed.
    """
    reasons = [f"{step}: {_innermost(message)}" for step, message in failures]
    line = f"{job} failed (run {run_id[:8]}): {'; '.join(reasons) or 'no step says why; see its log'}"
    return line if len(line) <= MAX_CHARS else line[: MAX_CHARS - 3] + "..."


def post_alert(text: str) -> bool:
    """Post ``{"text": ...}`` to the webhook, if there is one; return whether it was taken.

    A webhook that does not answer is logged, not raised: an alert must not fail a second time.
    """
    import httpx

    address = os.environ.get(WEBHOOK_VARIABLE)
    if not address:
        return False
    try:
        httpx.post(address, json={"text": text}, timeout=10.0).raise_for_status()
    except httpx.HTTPStatusError as error:
        log.warning("the alert was not taken: status %d", error.response.status_code)
        return False
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        log.warning("the alert could not be posted: %s", type(error).__name__)
        return False
    return True


def _innermost(message: str) -> str:
    """Return an error's own words on one line, without the name of its class."""
    return _CLASS.sub("", " ".join(message.split())) or "no message"
