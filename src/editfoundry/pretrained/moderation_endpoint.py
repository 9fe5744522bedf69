"""A moderator behind an OpenAI-compatible endpoint: its route ``/moderations``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import tenacity

from editfoundry.errors import BadInputError, UnavailableError, one_line
from editfoundry.pretrained.endpoint_settings import EndpointSettings, endpoint_settings
from editfoundry.profiles import ModelReference

TEXTS_PER_REQUEST = 32
_PASSING = {408, 409, 425, 429}
"""Statuses below 500 that may pass."""
_MAX_BYTES = 10_000_000


class _TryAgain(Exception):
    """An attempt failed in a way that may pass."""


@dataclass(frozen=True)
class ModerationEndpoint:
    """Asks an endpoint which texts it flags."""

    settings: EndpointSettings
    name: str

    def flags(self, texts: Sequence[str]) -> list[str]:
        """Return the categories that each text is flagged as, with commas between them; empty where it is not.

        Raises:
            UnavailableError: it did not answer in any attempt.
            BadInputError: wrong key, no such model, or no route for moderation.
        """
        headers = {"Authorization": f"Bearer {self.settings.key}"} if self.settings.key else {}
        made: list[str] = []
        with httpx.Client(timeout=self.settings.timeout_seconds, headers=headers, follow_redirects=False) as client:
            for start in range(0, len(texts), TEXTS_PER_REQUEST):
                made += self._ask(client, list(texts[start : start + TEXTS_PER_REQUEST]))
        return made

    def _ask(self, client: httpx.Client, texts: list[str]) -> list[str]:
        longest = self.settings.max_wait_seconds
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(_TryAgain),
            wait=tenacity.wait_random_exponential(multiplier=min(1.0, longest), max=longest),
            stop=tenacity.stop_after_attempt(self.settings.num_attempts),
            reraise=True,
        )
        try:
            return retrying(self._once, client, texts)
        except _TryAgain as error:
            raise UnavailableError(
                f"{self._where()}: {error}; run the same command again to go on where it stopped"
            ) from error

    def _once(self, client: httpx.Client, texts: list[str]) -> list[str]:
        url = self.settings.base_url.rstrip("/") + "/moderations"
        try:
            response = client.post(url, json={"model": self.settings.model, "input": texts})
        except httpx.HTTPError as error:
            raise _TryAgain(self._clean(f"{type(error).__name__}: {error}")) from error
        status = response.status_code
        if status in _PASSING or status >= 500:
            raise _TryAgain(self._clean(f"status {status} {response.text[:200]}"))
        if status != 200:
            reason = self._clean(f"status {status} {response.text[:200]}")
            raise BadInputError(
                f"{self._where()}: {reason}; where it has no route for moderation, take [moderator] out of the profile"
            )
        return _read(response.content, len(texts))

    def _where(self) -> str:
        return f"moderation of {self.settings.base_url}, model {self.settings.model!r}"

    def _clean(self, text: str) -> str:
        """Make one line of what an endpoint says, without the key that some endpoints repeat."""
        return one_line(text.replace(self.settings.key, "***") if self.settings.key else text, 300)


def open_moderation_endpoint(reference: ModelReference) -> ModerationEndpoint:
    """Make a client of the profile's endpoint; nothing is sent yet.

    Raises:
        BadInputError: the endpoint's settings are incomplete or malformed.
    """
    settings = endpoint_settings(reference)
    return ModerationEndpoint(settings, f"endpoint:{settings.model}@{reference.revision}")


def _read(body: bytes, count: int) -> list[str]:
    """Return what an answer flags.

    Raises:
        _TryAgain: it is not what the protocol says.
    """
    try:
        results = json.loads(body[:_MAX_BYTES])["results"]
        if len(results) != count:
            raise ValueError(f"{len(results)} results for {count} texts")
        return [_flag(result) for result in results]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _TryAgain(one_line(f"no answer of moderation: {error}", 200)) from error


def _flag(result: Mapping[str, Any]) -> str:
    if not isinstance(result["flagged"], bool):
        raise ValueError("flagged is neither true nor false")
    named = sorted(str(name) for name, applies in (result.get("categories") or {}).items() if applies)
    return (", ".join(named) or "flagged") if result["flagged"] else ""
