"""A language model behind an OpenAI-compatible chat endpoint."""

from __future__ import annotations

import email.utils
import json
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any

import httpx
import tenacity

from editfoundry.errors import BadInputError
from editfoundry.pretrained.chat_completion import BrokenAnswer, Refused, read_answer, read_stream
from editfoundry.pretrained.endpoint_settings import EndpointSettings, endpoint_settings
from editfoundry.pretrained.language_model import Answer, OnAnswer, Request, Sampling
from editfoundry.profiles import ModelReference

_TRANSIENT = {408, 409, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529}
_REFUSALS = ("content_filter", "content_policy_violation", "context_length_exceeded")
"""Error codes that are about one prompt and stay, however often it is asked."""

_MAX_ERROR_BYTES = 100_000


class _TryAgain(Exception):
    """An attempt failed in a way that may pass."""

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after
        """Seconds that the endpoint asks to wait."""


@dataclass(frozen=True)
class OpenAIEndpoint:
    """Asks an endpoint, several requests at once, and backs off when it is busy."""

    settings: EndpointSettings
    name: str
    """Model @ revision, as provenance records it."""

    def answer(
        self, requests: Sequence[Request], sampling: Sampling, on_answer: OnAnswer | None = None
    ) -> list[Answer]:
        """Answer every request, in order; what failed in every attempt has its ``error`` set.

        Raises:
            BadInputError: the endpoint refuses: wrong key, unknown model, a field that it does not take.
        """
        limits = httpx.Limits(max_connections=self.settings.num_concurrent)
        # The whole answer has a deadline of its own; here silence is limited.
        timeout = httpx.Timeout(self.settings.timeout_seconds, pool=None)
        with (
            httpx.Client(timeout=timeout, limits=limits, headers=self._headers(), follow_redirects=False) as client,
            ThreadPoolExecutor(self.settings.num_concurrent) as pool,
        ):
            stop = threading.Event()
            futures = {pool.submit(self._ask, client, r, sampling, stop): i for i, r in enumerate(requests)}
            try:
                return _gather(futures, stop, on_answer)
            finally:
                stop.set()
                pool.shutdown(wait=False, cancel_futures=True)

    def _ask(self, client: httpx.Client, request: Request, sampling: Sampling, stop: threading.Event) -> Answer:
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(self._may_pass),
            wait=self._wait,
            stop=tenacity.stop_any(
                tenacity.stop_after_attempt(self.settings.num_attempts), tenacity.stop_when_event_set(stop)
            ),
            sleep=tenacity.sleep_using_event(stop),
            reraise=True,
        )
        try:
            return retrying(self._once, client, request, sampling)
        except _TryAgain as error:
            return Answer(finish_reason="error", error=f"{self._where()}: {error}")

    def _once(self, client: httpx.Client, request: Request, sampling: Sampling) -> Answer:
        deadline = time.monotonic() + self.settings.timeout_seconds
        url = self.settings.base_url.rstrip("/") + "/chat/completions"
        try:
            with client.stream("POST", url, json=self._body(request, sampling)) as response:
                if response.status_code != 200:
                    return self._failed(response)
                if "event-stream" in response.headers.get("content-type", ""):
                    return read_stream(response.iter_lines(), deadline, sampling.max_tokens)
                return read_answer(response.iter_bytes(), deadline, sampling.max_tokens)
        except Refused as error:
            return Answer(text=self._clean(str(error)), finish_reason="refused")
        except BrokenAnswer as error:
            raise _TryAgain(self._clean(str(error))) from error
        except httpx.TimeoutException as error:
            raise _TryAgain(f"no answer within {self.settings.timeout_seconds:g} s") from error
        except httpx.TransportError as error:
            raise _TryAgain(self._clean(f"{type(error).__name__}: {error}")) from error

    def _failed(self, response: httpx.Response) -> Answer:
        """Turn a status other than 200 into a refusal of this prompt, a reason to try again, or an error."""
        code, message = _error_of(_beginning(response))
        reason = self._clean(f"status {response.status_code} {message}")
        if code in _REFUSALS:
            return Answer(text=reason, finish_reason="refused")
        if response.status_code in _TRANSIENT and code != "insufficient_quota":
            raise _TryAgain(reason, _retry_after(response))
        raise BadInputError(f"{self._where()}: {reason}")

    def _body(self, request: Request, sampling: Sampling) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self.settings.model,
            "messages": [{"role": m.role, "content": m.content} for m in request.chat],
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            self.settings.max_tokens_field: sampling.max_tokens,
            "frequency_penalty": sampling.frequency_penalty,
            "seed": request.seed,
        }
        if self.settings.stream:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        return {name: value for name, value in body.items() if name not in self.settings.unsupported}

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.settings.key}"} if self.settings.key else {}

    def _may_pass(self, error: BaseException) -> bool:
        if not isinstance(error, _TryAgain):
            return False
        return error.retry_after is None or error.retry_after <= self.settings.max_wait_seconds

    def _wait(self, state: tenacity.RetryCallState) -> float:
        longest = self.settings.max_wait_seconds
        backed_off = tenacity.wait_random_exponential(multiplier=min(1.0, longest), max=longest)(state)
        error = state.outcome.exception() if state.outcome is not None else None
        asked = error.retry_after if isinstance(error, _TryAgain) else None
        return backed_off if asked is None else asked

    def _where(self) -> str:
        return f"endpoint {self.settings.base_url}, model {self.settings.model!r}"

    def _clean(self, text: str) -> str:
        """Make one short line of what an endpoint says, without the key that some endpoints repeat."""
        shown = text.replace(self.settings.key, "***") if self.settings.key else text
        return " ".join(shown.split())[:300]


def open_endpoint(reference: ModelReference) -> OpenAIEndpoint:
    """Make a client of the profile's endpoint; nothing is sent yet.

    Raises:
        BadInputError: the endpoint's settings are incomplete or malformed.
    """
    settings = endpoint_settings(reference)
    return OpenAIEndpoint(settings, f"endpoint:{settings.model}@{reference.revision}")


def _gather(futures: dict[Future[Answer], int], stop: threading.Event, on_answer: OnAnswer | None) -> list[Answer]:
    """Collect answers as they come; after an error the rest is called off, but what was paid for is still handed on."""
    answers: list[Answer] = [Answer()] * len(futures)
    failure: BaseException | None = None
    for future in as_completed(futures):
        if future.cancelled():
            continue
        error = future.exception()
        if error is not None:
            failure = failure or error
            stop.set()
            for other in futures:
                other.cancel()
            continue
        index = futures[future]
        answers[index] = future.result()
        if on_answer is not None:
            on_answer(index, answers[index])
    if failure is not None:
        raise failure
    return answers


def _beginning(response: httpx.Response) -> bytes:
    body = bytearray()
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) > _MAX_ERROR_BYTES:
            break
    return bytes(body)


def _error_of(body: bytes) -> tuple[str, str]:
    """Return an error's code and message, or what there is instead."""
    try:
        error = json.loads(body)["error"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return "", body.decode("utf-8", "replace")
    if not isinstance(error, dict):
        return "", str(error)
    return str(error.get("code") or error.get("type") or ""), str(error.get("message", error))


def _retry_after(response: httpx.Response) -> float | None:
    value = response.headers.get("retry-after", "").strip()
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None
