"""Parameters of the lineage's report; light to import, since parameters are read everywhere."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from editfoundry.editors.families.instruct_pix2pix.family import options_in
from editfoundry.editors.post_edit.post_edit_config import PostEditConfig
from editfoundry.profiles import Profile


@dataclass(frozen=True, kw_only=True)
class SamplerParams:
    """What the reports of all lines have: the sampler, and how much is edited at once."""

    num_inference_steps: int = 20
    guidance_scale: float = 5.0
    batch_size: int = 32
    seed: int = 0

    CASES: ClassVar[Mapping[str, str]] = {}
    """Drawn benchmark -> the parameter that says how many of its cases are asked for."""

    def num_cases_of(self, benchmark: str) -> int | None:
        """Return how many cases of a drawn benchmark are asked for; None for any other benchmark."""
        return getattr(self, self.CASES[benchmark]) if benchmark in self.CASES else None

    def sampling(self) -> dict[str, Any]:
        """Return the options of the sampler, by diffusers' names."""
        return options_in(self)

    def post_edit_config(self, profile: Profile) -> PostEditConfig | None:
        """Return nothing: only EditWorld's report has a post-edit."""
        return None


@dataclass(frozen=True, kw_only=True)
class ReportParams(SamplerParams):
    """Parameters of the stage ``editworld_report``."""

    num_world_cases: int = 196
    num_new_rule_cases: int = 50
    num_plain_cases: int = 60
    image_guidance_scale: float = 1.5
    post_edit: Mapping[str, Any] | None = None
    """Evaluate the editor with EditWorld's post-edit too, with these settings of `PostEditConfig` in the place of the
    profile's; none, without."""

    CASES: ClassVar[Mapping[str, str]] = {
        "tinyworld-world": "num_world_cases",
        "tinyworld-new-rules": "num_new_rule_cases",
        "tinyworld-plain": "num_plain_cases",
    }

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


@dataclass(frozen=True, kw_only=True)
class EmuEditReportParams(SamplerParams):
    """Parameters of the stage ``emu_edit_report``."""

    image_guidance_scale: float = 1.5
    num_task_cases: int = 300
    """Edits of Emu Edit's tasks, which take turns."""

    CASES: ClassVar[Mapping[str, str]] = {"tinyworld-tasks": "num_task_cases"}


@dataclass(frozen=True, kw_only=True)
class MgieReportParams(SamplerParams):
    """Parameters of the stage ``mgie_report``."""

    image_guidance_scale: float = 1.5
    num_world_cases: int = 196
    num_ambiguous_cases: int = 150
    """Edits whose instruction means something else on every thing."""
    num_plain_cases: int = 60

    CASES: ClassVar[Mapping[str, str]] = {
        "tinyworld-world": "num_world_cases",
        "tinyworld-ambiguous": "num_ambiguous_cases",
        "tinyworld-plain": "num_plain_cases",
    }


@dataclass(frozen=True, kw_only=True)
class ImagenEditorReportParams(SamplerParams):
    """Parameters of the stage ``imagen_editor_report``."""

    num_prompts: int = 240
    """Of tinyworld's EditBench, three of each picture."""

    CASES: ClassVar[Mapping[str, str]] = {"tinyworld-editbench": "num_prompts"}


@dataclass(frozen=True, kw_only=True)
class LineReport:
    """What the report of a line compares: its editor with another one, on which benchmarks."""

    section: str
    """Of the parameters: the report's own, a `SamplerParams`."""
    training: str
    """Of the parameters: how the editor was trained, which the report tells."""
    benchmarks: tuple[str, ...]
    """Drawn ones; the first is the headline."""
    title: str
    compares: str
    """The two editors, in words."""
    base: str = "base"
    """Name of the editor that it is compared with."""


WORLD_REPORT = LineReport(
    section="editworld_report",
    training="editworld",
    benchmarks=("tinyworld-world", "tinyworld-new-rules", "tinyworld-plain"),
    title="EditWorld on tinyworld",
    compares="the base editor against the one fine-tuned on synthesized triplets",
)
"""The main line's."""


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
    def editworld_report(self) -> ReportParams:
        """Sizes of the benchmarks, and the sampler."""
        ...

    def __getattr__(self, name: str) -> Any:
        """Return another section: of a line's report, or of how its editor was trained."""
