"""How the instruction agent asks; light to import."""

from __future__ import annotations

from dataclasses import dataclass

from editfoundry.data.bounds import check_at_least
from editfoundry.errors import BadInputError
from editfoundry.pretrained.chat import Sampling


@dataclass(frozen=True, kw_only=True)
class AgentConfig:
    """Parameters of the instruction agent (Emu Edit, section 4)."""

    exemplars: str = "tinyworld"
    """Name of a shipped file of exemplars, or the path of a TOML file of the same layout."""
    exemplar_share: float = 0.6
    """Share of a task's exemplars that a prompt shows, drawn anew for each."""
    temperature: float = 0.9
    top_p: float = 0.9
    max_tokens: int = 256
    max_attempts: int = 3
    """Answers that may be unusable before a caption is given up."""
    max_edit_characters: int = 200
    max_caption_characters: int = 300
    max_object_characters: int = 80
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.exemplar_share <= 1:
            raise BadInputError(f"exemplar_share is {self.exemplar_share}; it must be in (0, 1]")
        counts = ("max_attempts", "max_edit_characters", "max_caption_characters", "max_object_characters")
        check_at_least(self, 1, *counts)
        # Made here, so that what it refuses is told before a model is loaded.
        _ = self.sampling

    @property
    def sampling(self) -> Sampling:
        """How the language model draws its tokens."""
        return Sampling.of(self)
