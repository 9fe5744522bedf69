"""Parameters of the lineage's report; light to import, since parameters are read everywhere."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from editfoundry.editors.families.instruct_pix2pix.family import options_in
from editfoundry.editors.post_edit.post_edit_config import PostEditConfig
from editfoundry.profiles import Profile


@dataclass(frozen=True, kw_only=True)
class ReportParams:
    """Parameters of the stage ``editworld_report``."""

    num_world_cases: int = 196
    num_new_rule_cases: int = 50
    num_plain_cases: int = 60
    num_inference_steps: int = 20
    guidance_scale: float = 5.0
    image_guidance_scale: float = 1.5
    batch_size: int = 32
    seed: int = 0
    post_edit: Mapping[str, Any] | None = None
    """Evaluate the editor with EditWorld's post-edit too, with these settings of `PostEditConfig` in the place of the
    profile's; none, without."""

    def num_cases_of(self, benchmark: str) -> int | None:
        """Return how many cases of a drawn benchmark are asked for; None for any other benchmark."""
        counts = {
            "tinyworld-world": self.num_world_cases,
            "tinyworld-new-rules": self.num_new_rule_cases,
            "tinyworld-plain": self.num_plain_cases,
        }
        return counts.get(benchmark)

    def sampling(self) -> dict[str, Any]:
        """Return the options of the sampler, by diffusers' names."""
        return options_in(self)

    def asking_for_post_edit(self) -> ReportParams:
        """Return these parameters with a post-edit, the profile's where they have none."""
        return dataclasses.replace(self, post_edit={} if self.post_edit is None else self.post_edit)

    def post_edit_config(self, profile: Profile) -> PostEditConfig | None:
        """Return the post-edit's settings, the profile's under these; none, without.

        Raises:
            BadInputError: a setting is unknown, or its value is wrong.
        """
        return None if self.post_edit is None else PostEditConfig.of_profile(profile, **self.post_edit)


@dataclass(frozen=True, kw_only=True)
class PairReportParams(ReportParams):
    """Parameters of the stage ``instruct_pix2pix_report``."""

    num_trade_off_cases: int = 24
    """Plain edits that both editors make at each of the paper's strengths of the image guidance; 0 leaves it out."""


class EvaluationParams(Protocol):
    """The parameters that an evaluation reads; those of the lineage have them."""

    @property
    def profile(self) -> str:
        """Name of the profile, or its file."""
        ...

    @property
    def device(self) -> str:
        """``auto``, ``cpu``, ``cuda``."""
        ...

    @property
    def editworld(self) -> Mapping[str, Any]:
        """How the editor was trained; the report tells it."""
        ...

    @property
    def editworld_report(self) -> ReportParams:
        """Sizes of the benchmarks, and the sampler."""
        ...
