"""How instructions are written; light to import, since parameters are read everywhere."""

from __future__ import annotations

from dataclasses import dataclass

from editfoundry.data.bounds import check_at_least
from editfoundry.pretrained.chat import Sampling


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
        check_at_least(self, 1, "max_attempts", "requests_per_batch")
        # Made here, so that what it refuses is told before a model is loaded.
        _ = self.sampling

    @property
    def sampling(self) -> Sampling:
        """How the language model draws its tokens, but for the texts that end an answer."""
        return Sampling.of(self)
