"""What every question of a run of the writer shares."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from editfoundry.data.record import Quadruple
from editfoundry.errors import BadInputError
from editfoundry.pretrained.chat import Sampling
from editfoundry.synthesis.quadruples.config import QuadrupleConfig
from editfoundry.synthesis.quadruples.exemplars import load_exemplars
from editfoundry.synthesis.quadruples.quadruple_prompts import Prompts


@dataclass(frozen=True)
class Writing:
    """The configuration, and what was made of it."""

    config: QuadrupleConfig
    prompts: Prompts
    sampling: Sampling
    """Of one quadruple."""

    @classmethod
    def of(cls, config: QuadrupleConfig, exemplars: str) -> Writing:
        """Read the exemplars.

        Raises:
            BadInputError: their file is missing or malformed, or lacks one of the configuration's categories.
        """
        file = load_exemplars(exemplars)
        lacking = [name for name in config.categories if name not in file.categories]
        if lacking:
            raise BadInputError(f"{file.path}: has no category {lacking[0]!r}, which the parameters name")
        return cls(config, Prompts.of(file, config), config.sampling)

    @property
    def exemplars(self) -> list[Quadruple]:
        """All exemplars, of all categories."""
        return [e for category in self.prompts.exemplars.categories.values() for e in category.exemplars]

    @property
    def verify_sampling(self) -> Sampling:
        """Of a category's name; models that think aloud need as much room for it as for a quadruple."""
        return dataclasses.replace(self.sampling, temperature=0.0, top_p=1.0, frequency_penalty=0.0)

    @property
    def free_sampling(self) -> Sampling:
        """Of a turn of the free source, which holds several quadruples."""
        return dataclasses.replace(
            self.sampling, max_tokens=self.sampling.max_tokens * self.prompts.quadruples_per_turn
        )
