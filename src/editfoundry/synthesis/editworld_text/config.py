"""How the text-to-image branch makes triplets; light to import, since parameters are read everywhere."""

from __future__ import annotations

from dataclasses import dataclass

from editfoundry.data.bounds import check_at_least
from editfoundry.errors import BadInputError

RECIPE = "editworld-text"
PAPER_TAU = 0.8125
"""EditWorld's threshold; its released code has 0.85."""


OUTPUT_SCORES = ("direction", "editworld")


@dataclass(frozen=True, kw_only=True)
class TextBranchConfig:
    """How triplets are made from quadruples. A step whose number of candidates is 0 is left out."""

    num_input_candidates: int = 2
    """Pictures painted of each input caption; the best by CLIP score is kept."""
    num_source_candidates: int = 0
    """Inpaintings of the input picture's own mask with its own caption; the best by CLIP score replaces it."""
    num_output_candidates: int = 4
    """Inpaintings of each input picture with its output caption; the best by ``output_score`` is kept."""
    num_refined_candidates: int = 0
    """Refinements of each output picture by IP-Adapter and ControlNet; best by CLIP-I + 4 CLIP-T."""
    num_img2img_candidates: int = 0
    """Last image-to-image passes over each output picture; best by CLIP-I + 4 CLIP-T."""
    output_score: str = "direction"
    """``direction``: CLIP-T + directional similarity. ``editworld``: CLIP-T + CLIP-I + structure, as released."""
    num_inference_steps: int = 20
    """Sampler steps of each picture."""
    guidance_scale: float = 5.0
    """Weight of the caption."""
    use_mask: bool = True
    """Whether inpainting is confined to where the keywords' attention lies; else the whole picture may change."""
    tau: float = PAPER_TAU
    """The mask is where the keywords' attention is at least this many times its mean."""
    attention_resolution: int = 16
    """Shorter side of the attention maps that are collected, in latent pixels; of SDXL at 1024 px, 32 or 64."""
    canny_low_threshold: int = 100
    """Gradient above which a pixel continues an edge."""
    canny_high_threshold: int = 200
    """Gradient above which a pixel starts an edge."""
    ip_adapter_scale: float = 0.6
    """Weight of the input picture's features in refinement; at 1 the caption hardly counts."""
    controlnet_conditioning_scale: float = 1.0
    """Weight of the output picture's edges in refinement."""
    img2img_strength: float = 0.5
    """Share of the steps that the last pass does."""
    judge: bool = False
    """Whether the role ``vision_language_model`` chooses among the finished candidates."""
    num_judged_candidates: int = 3
    """Candidates of the last step, best first, that the judge compares."""
    records_per_batch: int = 16
    """Quadruples that are worked on together."""
    seed: int = 0

    def __post_init__(self) -> None:
        check_at_least(
            self,
            1,
            "num_input_candidates",
            "num_output_candidates",
            "num_inference_steps",
            "attention_resolution",
            "records_per_batch",
            "num_judged_candidates",
        )
        check_at_least(
            self,
            0,
            "guidance_scale",
            "num_source_candidates",
            "num_refined_candidates",
            "num_img2img_candidates",
            "canny_low_threshold",
            "ip_adapter_scale",
            "controlnet_conditioning_scale",
        )
        if self.tau <= 0:
            raise BadInputError(f"tau is {self.tau}; it must be above 0")
        if not 0 < self.img2img_strength <= 1:
            raise BadInputError(f"img2img_strength is {self.img2img_strength}; it must be above 0 and at most 1")
        if self.canny_high_threshold < self.canny_low_threshold:
            raise BadInputError(
                f"canny_high_threshold is {self.canny_high_threshold}; it must be at least canny_low_threshold, "
                f"{self.canny_low_threshold}"
            )
        if self.output_score not in OUTPUT_SCORES:
            raise BadInputError(f"output_score is {self.output_score!r}; use {' or '.join(OUTPUT_SCORES)}")


def roles_of(config: TextBranchConfig) -> tuple[str, ...]:
    """Return the roles whose models the configuration's steps need."""
    roles = ["text_to_image", "clip"]
    if config.num_refined_candidates:
        roles += ["controlnet_canny", "ip_adapter"]
    if config.judge:
        roles.append("vision_language_model")
    return tuple(roles)
