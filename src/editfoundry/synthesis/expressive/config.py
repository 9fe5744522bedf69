"""How expressive instructions are made."""

from __future__ import annotations

from dataclasses import dataclass

from editfoundry.errors import BadInputError

MODEL, TRUTH = "model", "truth"
SOURCES = (MODEL, TRUTH)


@dataclass(frozen=True, kw_only=True)
class ExpressiveConfig:
    """Parameters of the stage ``express``."""

    source: str = MODEL
    """``model``, the profile's vision-language model, or ``truth``, the caption of the output picture."""
    summarizes: bool = True
    """Let the profile's summarizer shorten what the model says to about 32 words."""
    max_new_tokens: int = 512
    """Of the model's answer, at most."""
    records_per_batch: int = 16
    """Triplets that are asked about at once."""

    def __post_init__(self) -> None:
        if self.source not in SOURCES:
            raise BadInputError(f"source is {self.source!r}, but must be one of {', '.join(SOURCES)}")
        for name in ("max_new_tokens", "records_per_batch"):
            if getattr(self, name) < 1:
                raise BadInputError(f"{name} is {getattr(self, name)}, but must be at least 1")

    @property
    def roles(self) -> tuple[str, ...]:
        """The profile's roles that are used."""
        if self.source == TRUTH:
            return ()
        return ("vision_language_model", "summarizer") if self.summarizes else ("vision_language_model",)
