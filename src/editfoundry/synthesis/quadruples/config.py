"""How quadruples are written; light to import, since parameters are read everywhere."""

from __future__ import annotations

from dataclasses import dataclass

from editfoundry.data.bounds import check_at_least, check_each_once
from editfoundry.errors import BadInputError
from editfoundry.pretrained.chat import Sampling

TEXT_CATEGORIES = ("Long-Term", "Physical-Trans", "Implicit-Logic", "Story-Type", "Real-to-Virtual")
"""The categories that EditWorld's text-to-image branch yields (its section 3.2)."""
WRITERS = ("tinyworld", "language_model")


@dataclass(frozen=True, kw_only=True)
class QuadrupleConfig:
    """How quadruples are written."""

    seed: int = 0
    writer: str = "tinyworld"
    """``tinyworld``: its true rules, for its own captions; ``language_model``: the profile's model, for any."""
    exemplars: str = "auto"
    """``world``, ``tinyworld`` or a TOML file; ``auto`` takes ``tinyworld`` for models of the package."""
    categories: tuple[str, ...] = TEXT_CATEGORIES
    """What is written about."""
    num_exemplars: int | None = None
    """Exemplars a prompt; by default what the exemplars' file says, as for the next two."""
    quadruples_per_turn: int | None = None
    """Quadruples that one turn of the free source asks for."""
    num_turns: int | None = None
    """Turns of one conversation of the free source."""
    max_categories: int = 5
    """Categories that one caption is tried with at most."""
    max_attempts: int = 3
    """Times an answer that is not usable is asked for anew, with another seed, the first time included."""
    verify: bool = True
    """Ask the model for the category of what it wrote; it must agree."""
    max_similarity: float = 0.9
    """Jaccard index of two quadruples' words; from here on the later one is a near-copy and is dropped."""
    max_caption_characters: int = 300
    max_instruction_characters: int = 200
    max_keywords: int = 8
    temperature: float = 0.7
    """InstructPix2Pix's settings, as the next three."""
    top_p: float = 1.0
    max_tokens: int = 256
    """Tokens of one quadruple; a turn of the free source gets them for each that it asks for."""
    frequency_penalty: float = 0.1
    requests_per_batch: int = 256
    """Requests that are handed to the model together."""
    rows_per_shard: int = 500
    """Quadruples in a shard of the free source."""

    def __post_init__(self) -> None:
        if self.writer not in WRITERS:
            raise BadInputError(f"writer is {self.writer!r}; it must be one of {', '.join(WRITERS)}")
        unknown = [category for category in self.categories if category not in TEXT_CATEGORIES]
        if unknown or not self.categories:
            wrong = repr(unknown[0]) if unknown else "nothing"
            raise BadInputError(f"categories name {wrong}; there are {', '.join(TEXT_CATEGORIES)}")
        check_each_once("categories", self.categories)
        check_at_least(self, 1, *_COUNTS)
        if not 0 < self.max_similarity <= 1:
            raise BadInputError(f"max_similarity is {self.max_similarity}; it must be above 0 and at most 1")
        # Made here, so that what it refuses is told before a model is loaded.
        _ = self.sampling

    @property
    def sampling(self) -> Sampling:
        """How the language model draws the tokens of one quadruple."""
        return Sampling.of(self)


_COUNTS = (
    "num_exemplars", "quadruples_per_turn", "num_turns", "max_categories", "max_attempts", "max_caption_characters",
    "max_instruction_characters", "max_keywords", "requests_per_batch", "rows_per_shard",
)  # fmt: skip
