"""Options of prompt-to-prompt; light to import, since every command reads them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from editfoundry.editors.option_values import check_num_steps
from editfoundry.errors import BadInputError

if TYPE_CHECKING:
    from editfoundry.diffusion.prompt_to_prompt.alignment import Control


@dataclass(frozen=True, kw_only=True)
class PromptToPromptOptions:
    """How a picture is inverted and how long its attention is kept."""

    num_inference_steps: int = 50
    """DDIM steps, of the inversion and of the edit."""
    guidance_scale: float = 7.5
    """Weight of the captions while editing; the inversion has none."""
    control: Control = "auto"
    """``replace`` (word swap), ``refine`` (prompt refinement), or ``auto``: which fits the two captions."""
    cross_share: float = 0.8
    """Share of the steps, from the first on, in which cross-attention is shared."""
    self_share: float = 0.4
    """Share of the steps in which self-attention is shared."""
    max_self_attention_pixels: int = 256
    """Self-attention is shared in layers of at most this many latent pixels, the paper's 16 x 16."""
    new_word_weight: float = 1.0
    """Re-weighting: what the attention of the output caption's new words is multiplied by."""
    num_refinements: int = 0
    """Fixed-point iterations of each step of the inversion; 0 is plain DDIM inversion."""
    num_null_text_iterations: int = 0
    """Iterations of null-text optimisation at each step (the paper's code: 10); 0 leaves it out."""

    def __post_init__(self) -> None:
        if self.control not in ("auto", "replace", "refine"):
            raise BadInputError(f"control is {self.control!r}, but must be auto, replace or refine")
        for name in ("cross_share", "self_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise BadInputError(f"{name} is {getattr(self, name)}, but must be in [0, 1]")
        for name in ("num_refinements", "num_null_text_iterations"):
            if getattr(self, name) < 0:
                raise BadInputError(f"{name} is {getattr(self, name)}, but must be at least 0")
        check_num_steps(self)
