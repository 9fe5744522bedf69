"""The role ``language_model``, and others that a language model plays: opened as an endpoint, or from local weights."""

from __future__ import annotations

import dataclasses

from editfoundry.data.stage_result import StageResult
from editfoundry.pretrained.chat import LanguageModel, Prices
from editfoundry.pretrained.endpoint_settings import endpoint_prices
from editfoundry.pretrained.identity import model_identity
from editfoundry.profiles import Profile

ROLE = "language_model"


def load_language_model(profile: Profile, device: str = "auto", role: str = ROLE) -> LanguageModel:
    """Open the profile's endpoint, or load its weights onto ``device`` (auto, cpu, cuda, cuda:N).

    Raises:
        MissingModelError: the profile names no language model, or one that is not on this machine.
        BadInputError: the endpoint's settings are incomplete or malformed.
    """
    reference = profile.model(role)
    if reference.is_endpoint:
        from editfoundry.pretrained.openai_endpoint import open_endpoint

        return open_endpoint(reference)
    from editfoundry.pretrained.causal_lm import load_causal_lm
    from editfoundry.pretrained.runtime import choose_runtime

    return load_causal_lm(reference, choose_runtime(device))


def language_model_identity(profile: Profile, role: str = ROLE) -> list[str]:
    """Return what tells whether it is the same model as before; an address may change, a model's name not."""
    return model_identity(profile, role)


def language_model_prices(profile: Profile, role: str = ROLE) -> Prices | None:
    """Return the prices that the profile's options or the environment give; None where there are none."""
    return endpoint_prices(profile, role)


def with_cost(result: StageResult, profile: Profile, role: str = ROLE) -> StageResult:
    """Add what the tokens of a result cost, where prices of the role's model are given."""
    prices = language_model_prices(profile, role)
    if prices is None:
        return result
    cost = prices.cost(result.totals.get("prompt_tokens", 0), result.totals.get("completion_tokens", 0))
    return dataclasses.replace(result, totals={**result.totals, "cost": round(cost, 6)})
