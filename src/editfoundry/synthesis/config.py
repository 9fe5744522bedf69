"""How the text-to-image branch makes triplets; light to import, since parameters are read everywhere."""

from __future__ import annotations

from dataclasses import dataclass

from editfoundry.errors import BadInputError

PAPER_TAU = 0.8125
"""EditWorld's threshold; its released code has 0.85."""


@dataclass(frozen=True, kw_only=True)
class TextBranchConfig:
    """How triplets are made from quadruples."""

    num_input_candidates: int = 2
    """Pictures painted of each input caption; the best by CLIP score is kept."""
    num_output_candidates: int = 4
    """Inpaintings of each input picture; the best by CLIP score plus directional similarity is kept."""
    num_inference_steps: int = 20
    """Sampler steps of each picture."""
    guidance_scale: float = 5.0
    """Weight of the caption."""
    tau: float = PAPER_TAU
    """The mask is where the keywords' attention is at least this many times its mean."""
    attention_resolution: int = 16
    """Side of the attention maps that are collected, in latent pixels."""
    records_per_batch: int = 16
    """Quadruples that are worked on together."""
    seed: int = 0

    def __post_init__(self) -> None:
        names = (
            "num_input_candidates", "num_output_candidates", "num_inference_steps", "attention_resolution",
            "records_per_batch",
        )  # fmt: skip
        for name in names:
            if getattr(self, name) < 1:
                raise BadInputError(f"{name} is {getattr(self, name)}; it must be at least 1")
        if self.tau <= 0:
            raise BadInputError(f"tau is {self.tau}; it must be above 0")
