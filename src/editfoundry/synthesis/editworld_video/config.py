"""How frame pairs become triplets; light to import, since parameters are read everywhere."""

from __future__ import annotations

from dataclasses import dataclass

from editfoundry.data.bounds import check_at_least
from editfoundry.errors import BadInputError
from editfoundry.pretrained.chat import Sampling

VIDEO_CATEGORIES = ("Spatial-Trans", "Physical-Trans", "Story-Type", "Exaggeration")
"""The categories that EditWorld's video branch yields (its section 3.2)."""


@dataclass(frozen=True, kw_only=True)
class VideoBranchConfig:
    """How a clip is described, and how its description becomes an instruction."""

    num_frames: int | None = None
    """Frames that the video-language model sees, the pair's two among them; by default as many as it was trained on."""
    frame_side: int = 448
    """Pixels of those frames' longer side at most, before the model scales them on."""
    max_description_tokens: int = 96
    """Length of the description."""
    prompts: str = "auto"
    """Prompts, definitions and exemplars: ``world``, ``tinyworld`` or a TOML file; ``auto`` takes ``tinyworld`` where
    both models are the package's."""
    num_exemplars: int = 6
    """Exemplars that the language model is shown."""
    temperature: float = 0.3
    """Of the language model; 0 always takes the likeliest token."""
    max_tokens: int = 256
    """Length of its answer."""
    max_attempts: int = 2
    """Times that the language model is asked about one clip before its answer is given up."""
    requests_per_batch: int = 32
    """Questions that the language model is asked together."""
    records_per_batch: int = 16
    """Clips that are described together."""
    judge: bool = False
    """Whether the role ``vision_language_model`` scores each triplet."""
    seed: int = 0

    def __post_init__(self) -> None:
        counts = (
            "frame_side",
            "max_description_tokens",
            "max_tokens",
            "max_attempts",
            "requests_per_batch",
            "records_per_batch",
            "num_exemplars",
        )
        check_at_least(self, 1, *counts)
        if self.num_frames is not None and self.num_frames < 2:
            raise BadInputError("num_frames must be at least 2: the pair's own frames")
        # Made here, so that what it refuses is told before a model is loaded.
        _ = self.sampling

    @property
    def sampling(self) -> Sampling:
        """How the language model draws its tokens."""
        return Sampling(temperature=self.temperature, max_tokens=self.max_tokens, frequency_penalty=0.0)


def roles_of(config: VideoBranchConfig) -> tuple[str, ...]:
    """Return the roles whose models the configuration needs."""
    judge = ("vision_language_model",) if config.judge else ()
    return ("video_language_model", "language_model", "clip", *judge)
