"""What an OpenAI-compatible endpoint needs to be asked: from the profile's options and the environment."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from editfoundry.errors import BadInputError
from editfoundry.pretrained.chat import Prices
from editfoundry.profiles import ENDPOINT, ModelReference, Profile

BASE_URL, KEY, MODEL = "OPENAI_BASE_URL", "OPENAI_API_KEY", "OPENAI_MODEL"
PROMPT_PRICE, COMPLETION_PRICE = "OPENAI_PRICE_PER_MILLION_PROMPT_TOKENS", "OPENAI_PRICE_PER_MILLION_COMPLETION_TOKENS"
PUBLIC_URL = "https://api.openai.com/v1"
"""Asked when a key is given and no address, as OpenAI's own clients do."""


@dataclass(frozen=True, kw_only=True)
class EndpointSettings:
    """Where to ask, whom, and how patiently."""

    base_url: str
    model: str
    key: str = field(default="", repr=False)
    """Sent as a bearer token and never written anywhere."""
    num_concurrent: int = 8
    """Requests under way at once, of all shards and processes of one user on this machine together."""
    num_attempts: int = 6
    """Times a request is sent before it counts as failed for now."""
    timeout_seconds: float = 120.0
    """For a whole answer, from sending to its last token."""
    max_wait_seconds: float = 60.0
    """Longest pause between two attempts; an endpoint that asks for a longer one has failed for now."""
    stream: bool = True
    """Receive tokens as they are made, so that a connection that died is noticed early."""
    max_tokens_field: str = "max_tokens"
    """Some models call it ``max_completion_tokens``."""
    unsupported: tuple[str, ...] = ()
    """Fields that the endpoint refuses and that are not sent: ``seed``, ``frequency_penalty``..."""
    extra_body: Mapping[str, Any] = field(default_factory=dict)
    """Further fields of every request's body, such as ``reasoning_effort``, ``response_format`` or
    ``chat_template_kwargs``; one that is sent anyway gets this value."""
    requests_per_minute: float = 0.0
    """What all processes of one user on this machine together may send to the model; 0 is any number."""
    max_cost: float = 0.0
    """What one run may cost, by ``prices``, before it stops; 0 is any sum."""
    batch_folder: str = ""
    """Folder of a batch API's files: requests are written there instead of being sent, and answers read from there."""
    max_image_side: int = 768
    """Pixels of the longer side that pictures are scaled down to before they are sent."""
    prices: Prices | None = None

    def __post_init__(self) -> None:
        parts = urlsplit(self.base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise BadInputError(f"{BASE_URL} must be an http or https address, such as {PUBLIC_URL}")
        if parts.username or parts.password or parts.query:
            raise BadInputError(f"{BASE_URL} must hold no user name, password or query; a key goes into {KEY}")
        if not self.key.isascii() or not self.key.isprintable():
            raise BadInputError(f"{KEY} holds a character that no key has, perhaps a line break")
        for name in ("num_concurrent", "num_attempts", "timeout_seconds", "max_wait_seconds", "max_image_side"):
            if getattr(self, name) <= 0:
                raise BadInputError(f"endpoint option {name} is {getattr(self, name)}; it must be above 0")
        for name in ("requests_per_minute", "max_cost"):
            if not 0 <= getattr(self, name) < math.inf:
                raise BadInputError(f"endpoint option {name} is {getattr(self, name)}; it must be a number from 0 on")
        if self.max_cost and self.prices is None:
            raise BadInputError("endpoint option max_cost needs prices: give price_per_million_prompt_tokens too")


def endpoint_settings(reference: ModelReference) -> EndpointSettings:
    """Put an endpoint's settings together; the profile's options go before the environment.

    Raises:
        BadInputError: no address or no model is given, or an option is unknown or of the wrong type.
    """
    options = dict(reference.options)
    key = os.environ.get(KEY, "")
    base_url = options.pop("base_url", None) or os.environ.get(BASE_URL) or (PUBLIC_URL if key else None)
    if not base_url:
        raise BadInputError(f"role {reference.role!r}: set {BASE_URL} to the endpoint's address, such as {PUBLIC_URL}")
    model = reference.source.removeprefix(ENDPOINT).removeprefix(":") or os.environ.get(MODEL)
    if not model:
        raise BadInputError(
            f'role {reference.role!r}: set {MODEL}, or name it in the profile: model = "endpoint:MODEL"'
        )
    prices = _prices(options)
    try:
        return EndpointSettings(base_url=str(base_url), model=model, key=key, prices=prices, **_checked(options))
    except BadInputError as error:
        raise BadInputError(f"role {reference.role!r}: {error}") from error


def endpoint_prices(profile: Profile, role: str) -> Prices | None:
    """Return the prices that a role's options or the environment give; None where there are none, or no endpoint."""
    reference = profile.model(role)
    return endpoint_settings(reference).prices if reference.is_endpoint else None


def _checked(options: dict[str, Any]) -> dict[str, Any]:
    known = {f.name: f for f in dataclasses.fields(EndpointSettings)}
    checked = {}
    for name, value in options.items():
        if name not in known or name in ("key", "model", "prices"):
            allowed = ", ".join(sorted({*known, *_PRICE_OPTIONS} - {"key", "model", "prices"}))
            raise BadInputError(f"unknown endpoint option {name!r}; there are {allowed}")
        default = {} if name == "extra_body" else known[name].default
        value = tuple(value) if isinstance(value, list) else value
        value = float(value) if isinstance(default, float) and type(value) is int else value
        if type(value) is not type(default):
            raise BadInputError(f"endpoint option {name} is {value!r}, which is no {type(default).__name__}")
        checked[name] = value
    return checked


_PRICE_OPTIONS = {
    "price_per_million_prompt_tokens": PROMPT_PRICE,
    "price_per_million_completion_tokens": COMPLETION_PRICE,
}


def _prices(options: dict[str, Any]) -> Prices | None:
    given = [options.pop(name, os.environ.get(variable)) for name, variable in _PRICE_OPTIONS.items()]
    if given == [None, None]:
        return None
    try:
        return Prices(
            per_million_prompt_tokens=float(given[0] or 0), per_million_completion_tokens=float(given[1] or 0)
        )
    except (TypeError, ValueError) as error:
        raise BadInputError(f"prices per million tokens must be numbers: {error}") from error
