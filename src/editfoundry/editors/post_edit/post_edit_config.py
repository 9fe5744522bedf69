"""Settings of the post-edit."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from editfoundry.errors import BadInputError
from editfoundry.profiles import Profile, check_settings
from editfoundry.synthesis.editworld_text.config import PAPER_TAU

TOKENS = ("words", "all")
POST_EDIT_ROLES = ("segmenter", "text_to_image", "controlnet_canny", "ip_adapter")
"""The profile's roles that `post_edit_models.load_post_edit_models` loads."""


@dataclass(frozen=True, kw_only=True)
class PostEditConfig:
    """How the region is found, repainted and put back (EditWorld, post-edit)."""

    tau: float = PAPER_TAU
    """The region of the instruction is where its attention is at least this many times the mean."""
    tokens: str = "words"
    """Whose attention that is: ``words``, the instruction's own tokens, as in the paper, or ``all`` but the start
    token, for editors whose text encoder gathers the instruction's meaning in the end token and the padding."""
    num_points: int = 48
    """Points in that region, at most, at which SAM is asked for masks."""
    min_overlap: float = 0.1
    """Least IoU of SAM's best mask with the region; below it the region itself is taken, at its own sharpness."""
    dilation: float = 0.02
    """How far the edited region grows, as a share of the picture's shorter side, so that outlines are in it."""
    feather: float = 0.03
    """Width of the soft edge, inside the region, as a share of the picture's shorter side."""
    num_inference_steps: int = 50
    """Steps of the painter's scheduler."""
    guidance_scale: float = 7.5
    """Weight of the prompt."""
    strength: float = 0.6
    """Share of the steps that is done, from the noised edit; at 1, as in the paper, it counts by its edges alone."""
    controlnet_conditioning_scale: float = 1.0
    """Weight of the edit's canny edges."""
    ip_adapter_scale: float = 0.6
    """Weight of the input picture's features."""

    def __post_init__(self) -> None:
        if not 0 < self.strength <= 1:
            raise BadInputError(f"strength is {self.strength}, but must be in (0, 1]")
        if self.tokens not in TOKENS:
            raise BadInputError(f"tokens is {self.tokens!r}, but must be one of {', '.join(TOKENS)}")
        if int(self.num_inference_steps * self.strength) < 1:
            raise BadInputError(f"a strength of {self.strength} does none of {self.num_inference_steps} steps")
        if self.num_points < 1 or self.num_inference_steps < 1:
            raise BadInputError("num_points and num_inference_steps must be at least 1")
        for name in ("tau", "min_overlap", "dilation", "feather"):
            if getattr(self, name) < 0:
                raise BadInputError(f"{name} is {getattr(self, name)}, but must be at least 0")

    @classmethod
    def of_profile(cls, profile: Profile, **settings: Any) -> PostEditConfig:
        """Return the settings that suit a profile's models, with ``settings`` in the place of its own.

        Raises:
            BadInputError: a setting of the profile's table ``post_edit``, or of ``settings``, is unknown, or its value
                is of another type.
        """
        known = {setting.name: setting.default for setting in fields(cls)}
        check_settings("post_edit", profile.post_edit, known, where=f"profile {profile.name!r}: ")
        check_settings("post_edit", settings, known)
        return cls(**{**profile.post_edit, **settings})
