"""A language model behind an OpenAI-compatible chat endpoint."""

from __future__ import annotations

import contextlib
import email.utils
import json
import logging
import math
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import httpx
import tenacity

from editfoundry.data.record import short_hash
from editfoundry.errors import BadInputError
from editfoundry.pretrained.batch_files import BatchFiles
from editfoundry.pretrained.chat import FAILED, REFUSED, ChatAnswer, Message, OnAnswer, Request, Sampling
from editfoundry.pretrained.chat_completion import (
    BrokenAnswer,
    PromptRefused,
    is_about_prompt,
    read_answer,
    read_stream,
)
from editfoundry.pretrained.endpoint_settings import EndpointSettings, endpoint_settings
from editfoundry.pretrained.endpoint_usage import EndpointUsage
from editfoundry.pretrained.exchange_deadline import ExchangeDeadline
from editfoundry.pretrained.request_rate import RequestRate
from editfoundry.pretrained.request_slots import RequestSlots
from editfoundry.profiles import ModelReference

log = logging.getLogger(__name__)

_BUSY = {408, 409, 425, 429, 502, 503, 504, 520, 522, 524, 529}
"""The endpoint cannot answer anybody for now."""
_MISCONFIGURED = {401, 402, 404, 405, 407, 410}
"""Wrong key, no money, no such model or address: the same for every prompt."""
_PROBE = Request(chat=(Message("user", "Say yes."),), seed=0)
"""Asked to tell an endpoint that fails from a prompt that it fails at."""
_CONNECT_SECONDS = 10.0
_ERROR_SECONDS = 10.0
"""For the body of an error, which is only shown."""
_TELL_SECONDS = 5.0
"""Failed attempts are told no more often than this."""
_MAX_ERROR_BYTES = 100_000


_Cause = Literal["busy", "down", "unclear"]


class _TryAgain(Exception):
    """An attempt failed in a way that may pass."""

    def __init__(
        self, reason: str, cause: Literal["busy", "down", "unclear"], retry_after: float | None = None
    ) -> None:
        super().__init__(reason)
        self.cause = cause
        """Unclear where it may be the prompt that breaks the endpoint."""
        self.retry_after = retry_after
        """Seconds that the endpoint asks to wait."""


class _TurnedDown(Exception):
    """The endpoint will not take a request, because of its prompt or because of everything else in it."""


@dataclass
class _Batch:
    """The state that the requests of one call share."""

    client: httpx.Client
    sampling: Sampling
    stop: threading.Event = field(default_factory=threading.Event)
    """Set when there is no sense in going on."""
    probing: threading.Lock = field(default_factory=threading.Lock)
    answered_at: float = -math.inf
    """When the endpoint last answered anything; of ``time.monotonic``."""
    told_at: float = -math.inf


@dataclass(frozen=True)
class OpenAIEndpoint:
    """Asks an endpoint, several requests at once, and backs off when it is busy."""

    settings: EndpointSettings
    name: str
    """Model @ revision, as provenance records it."""
    usage: EndpointUsage
    """Of this run."""

    def answer(
        self, requests: Sequence[Request], sampling: Sampling, on_answer: OnAnswer | None = None
    ) -> list[ChatAnswer]:
        """Answer every request, in order; what failed in every attempt has its ``error`` set.

        A prompt that the endpoint turns down, or fails at again and again although it answers a simple question, is
        answered with the finish reason ``refused`` or ``failed``.

        Raises:
            BadInputError: the endpoint refuses: wrong key, unknown model, a field that it does not take.
        """
        if self.settings.batch_folder:
            return self._answer_by_files(requests, sampling, on_answer)
        # A connection serves one request, so that the request's deadline can shut it down.
        limits = httpx.Limits(max_connections=self.settings.num_concurrent, max_keepalive_connections=0)
        seconds = self.settings.timeout_seconds
        timeout = httpx.Timeout(seconds, connect=min(seconds, _CONNECT_SECONDS), pool=None)
        with (
            httpx.Client(timeout=timeout, limits=limits, headers=self._headers(), follow_redirects=False) as client,
            ThreadPoolExecutor(self.settings.num_concurrent) as pool,
        ):
            batch = _Batch(client, sampling)
            futures = {pool.submit(self._ask, batch, request): i for i, request in enumerate(requests)}
            try:
                return self._gather(futures, batch, on_answer)
            finally:
                batch.stop.set()
                pool.shutdown(wait=False, cancel_futures=True)

    def _answer_by_files(
        self, requests: Sequence[Request], sampling: Sampling, on_answer: OnAnswer | None
    ) -> list[ChatAnswer]:
        """Read what a batch API has answered; what it has not is written to a file of requests."""
        bodies = [self._body(request, sampling) for request in requests]
        answers = BatchFiles(Path(self.settings.batch_folder)).answer(bodies, sampling.max_tokens)
        for index, answer in enumerate(answers):
            if not answer.error:
                self.usage.add(answer)
            if on_answer is not None:
                on_answer(index, answer)
        return answers

    def _gather(
        self, futures: dict[Future[ChatAnswer], int], batch: _Batch, on_answer: OnAnswer | None
    ) -> list[ChatAnswer]:
        """Collect answers as they come; after an error the rest is called off, but what was paid for is handed on."""
        called_off = self._failed_for_now("not asked, because it is down")
        answers, failure = [called_off] * len(futures), None
        for future in as_completed(futures):
            if batch.stop.is_set():
                for other in futures:
                    other.cancel()
            if future.cancelled():
                continue
            error = future.exception()
            if error is not None:
                failure = failure or error
                batch.stop.set()
                continue
            index = futures[future]
            answers[index] = future.result()
            if on_answer is not None:
                on_answer(index, answers[index])
        if failure is not None:
            raise failure
        if on_answer is not None:
            for index, answer in enumerate(answers):
                if answer is called_off:
                    on_answer(index, answer)
        return answers

    def _ask(self, batch: _Batch, request: Request) -> ChatAnswer:
        if batch.stop.is_set():
            return self._failed_for_now("not asked, because it is down")
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(self._may_pass),
            wait=self._wait,
            stop=tenacity.stop_any(
                tenacity.stop_after_attempt(self.settings.num_attempts), tenacity.stop_when_event_set(batch.stop)
            ),
            sleep=tenacity.sleep_using_event(batch.stop),
            before_sleep=lambda state: self._tell(batch, state),
            reraise=True,
        )
        since = time.monotonic()

        def attempt() -> ChatAnswer:
            nonlocal since
            since = time.monotonic()
            return self._once(batch, request)

        try:
            return retrying(attempt)
        except _TurnedDown as error:
            if self._answers_others(batch, since):
                return ChatAnswer(text=str(error), finish_reason=REFUSED)
            return self._failed_for_now(str(error))
        except _TryAgain as error:
            if error.cause == "unclear" and not batch.stop.is_set() and self._answers_others(batch, since):
                return ChatAnswer(text=str(error), finish_reason=FAILED)
            if error.cause != "busy":
                # Nobody else will fare better.
                batch.stop.set()
            return self._failed_for_now(str(error))

    def _answers_others(self, batch: _Batch, since: float) -> bool:
        """Return whether the endpoint has answered another request since then, or answers a simple question now.

        Raises:
            BadInputError: it turns that down too, so it is not the prompt that is wrong.
        """
        with batch.probing:
            if batch.answered_at >= since:
                return True
            try:
                self._once(batch, _PROBE)
            except _TryAgain:
                return False
            except _TurnedDown as error:
                batch.stop.set()
                raise BadInputError(f"{self._where()}: {error}") from error
            return True

    def _once(self, batch: _Batch, request: Request) -> ChatAnswer:
        url = self.settings.base_url.rstrip("/") + "/chat/completions"
        body, max_tokens = self._body(request, batch.sampling), batch.sampling.max_tokens
        try:
            self.usage.check_budget()
        except BadInputError as error:
            raise BadInputError(f"{self._where()}: {error}") from error
        if self.settings.requests_per_minute:
            rate = RequestRate.of_endpoint(self._rate_key, self.settings.requests_per_minute)
            batch.stop.wait(rate.seconds_to_wait())
        slots = RequestSlots.of_endpoint(self._rate_key, self.settings.num_concurrent)
        with slots.held(batch.stop), ExchangeDeadline(self.settings.timeout_seconds) as deadline:
            try:
                with batch.client.stream("POST", url, json=body, extensions={"trace": deadline.trace}) as response:
                    if response.status_code != 200:
                        return self._failed(response)
                    is_stream = "event-stream" in response.headers.get("content-type", "")
                    read = read_stream if is_stream else read_answer
                    answer = read(response.iter_bytes(), deadline.ends, max_tokens)
            except PromptRefused as error:
                return ChatAnswer(text=self._clean(str(error)), finish_reason=REFUSED)
            except (BrokenAnswer, httpx.TransportError, httpx.DecodingError) as error:
                raise self._broken(error, deadline) from error
        batch.answered_at = time.monotonic()
        self.usage.add(answer)
        return answer

    def _broken(self, error: Exception, deadline: ExchangeDeadline) -> _TryAgain:
        if isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout)):
            return _TryAgain(self._clean(f"{type(error).__name__}: {error}"), "down")
        if deadline.has_passed or isinstance(error, httpx.TimeoutException):
            return _TryAgain(f"no answer within {deadline.seconds:g} s", "unclear")
        kind = "" if isinstance(error, BrokenAnswer) else f"{type(error).__name__}: "
        return _TryAgain(self._clean(f"{kind}{error}"), "unclear")

    def _failed(self, response: httpx.Response) -> ChatAnswer:
        """Turn a status other than 200 into a refusal of this prompt, a reason to try again, or an error."""
        code, message = _error_of(_beginning(response))
        status, reason = response.status_code, self._clean(f"status {response.status_code} {message}")
        if is_about_prompt(code, message):
            return ChatAnswer(text=reason, finish_reason=REFUSED)
        if status < 400 or status in _MISCONFIGURED or code == "insufficient_quota":
            raise BadInputError(f"{self._where()}: {reason}")
        if status in _BUSY or status >= 500:
            raise _TryAgain(reason, "busy" if status in _BUSY else "unclear", _retry_after(response))
        raise _TurnedDown(reason)

    def _failed_for_now(self, reason: str) -> ChatAnswer:
        return ChatAnswer(finish_reason="error", error=f"{self._where()}: {reason}")

    def _tell(self, batch: _Batch, state: tenacity.RetryCallState) -> None:
        """Say what is tried, so that nobody waits without knowing for what."""
        if time.monotonic() - batch.told_at < _TELL_SECONDS:
            return
        batch.told_at = time.monotonic()
        error = state.outcome.exception() if state.outcome is not None else None
        log.warning(
            "%s: %s; attempt %d of %d in %.0f s",
            self._where(),
            error,
            state.attempt_number + 1,
            self.settings.num_attempts,
            state.upcoming_sleep,
        )

    def _body(self, request: Request, sampling: Sampling) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self.settings.model,
            "messages": [{"role": m.role, "content": _content(m)} for m in request.chat],
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            self.settings.max_tokens_field: sampling.max_tokens,
            "frequency_penalty": sampling.frequency_penalty,
            "seed": request.seed,
        }
        if sampling.stop:
            body["stop"] = list(sampling.stop)
        if self.settings.stream and not self.settings.batch_folder:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        body |= {**(request.body or {}), **self.settings.extra_body}
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

    @property
    def _rate_key(self) -> str:
        return short_hash(self.settings.base_url, self.settings.model, self.settings.key)

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
    usage = EndpointUsage(settings.prices, settings.max_cost)
    return OpenAIEndpoint(settings, f"endpoint:{settings.model}@{reference.revision}", usage)


def _content(message: Message) -> str | list[dict[str, Any]]:
    if not message.pictures:
        return message.content
    pictures = [{"type": "image_url", "image_url": {"url": url}} for url in message.pictures]
    return [*pictures, {"type": "text", "text": message.content}]


def _beginning(response: httpx.Response) -> bytes:
    """Return what comes of an error's body in good time: the status says enough without."""
    body, deadline = bytearray(), time.monotonic() + _ERROR_SECONDS
    with contextlib.suppress(httpx.TransportError, httpx.DecodingError):
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > _MAX_ERROR_BYTES or time.monotonic() > deadline:
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
