"""How instructions are written; light to import, since parameters are read everywhere."""

from __future__ import annotations

from dataclasses import dataclass

from editfoundry.errors import BadInputError


@dataclass(frozen=True, kw_only=True)
class InstructionConfig:
    """How the language model is asked; InstructPix2Pix's settings by default."""

    seed: int = 0
    temperature: float = 0.7
    top_p: float = 1.0
    max_tokens: int = 256
    """Tokens of an answer at most."""
    frequency_penalty: float = 0.1
    max_attempts: int = 4
    """Times that one caption is asked about at most, each with another seed."""
    requests_per_batch: int = 256
    """Requests that are handed to the model together."""

    def __post_init__(self) -> None:
        for name in ("max_attempts", "requests_per_batch"):
            if getattr(self, name) < 1:
                raise BadInputError(f"{name} is {getattr(self, name)}; it must be at least 1")
