"""How Emu Edit's pairs are made and chosen; light to import, since parameters are read everywhere."""

from __future__ import annotations

from dataclasses import dataclass, field

from editfoundry.curation.score_filters import ClipThresholds
from editfoundry.data.bounds import check_at_least, check_each_once
from editfoundry.data.edit_tasks import EditTask
from editfoundry.errors import BadInputError
from editfoundry.synthesis.emu_edit.agent_config import AgentConfig
from editfoundry.synthesis.emu_edit.task_settings import (
    GlobalSettings,
    InpaintingSettings,
    MaskSettings,
    RegionSettings,
    StyleSettings,
)

RECIPE = "emu-edit"
WRITERS = ("tinyworld", "language_model")
MADE_TASKS = tuple(str(task) for task in EditTask if task not in (EditTask.NORMALS, EditTask.POSE))
"""Tasks whose pairs are made here: no tool of a profile reads normals or poses."""
PAINTER_ROLE, CLIP_ROLE, JUDGE_ROLE, DEPTH_ROLE = "text_to_image", "clip", "vision_language_model", "depth"
FINDING_ROLES = ("detector", "segmenter")
PREDICTOR_ROLE = "task_predictor"
_WITH_THINGS = ("local", "remove", "add", "texture", "background", "detect", "segment")
"""Tasks for which something has to be found in the picture."""
_ARITHMETIC = ("text", "color", "sketch", "canny")
"""Tasks for which nothing but the first picture is painted, and nothing is found in it."""


@dataclass(frozen=True, kw_only=True)
class EmuPairConfig:
    """Parameters of the recipe ``emu-edit``; the defaults are the paper's where it has them."""

    writer: str = "language_model"
    """Who writes instructions: ``language_model``, or ``tinyworld``, which draws true edits of its own captions."""
    agent: AgentConfig = field(default_factory=AgentConfig)
    """How the language model is asked."""
    requests_per_batch: int = 64
    """Questions that the language model is asked together."""
    tasks: tuple[str, ...] = MADE_TASKS
    """Tasks; the captions take them in turns."""
    tasks_per_caption: int = 1
    """Edits of each caption, of different tasks."""
    num_captions: int = 0
    """So many captions are taken, the first ones; 0 for all."""
    num_inference_steps: int = 50
    """DDIM steps of each picture."""
    input_guidance_scale: float = 7.5
    """Weight of the caption when the first picture of a pair is painted."""
    region: RegionSettings = field(default_factory=RegionSettings)
    whole: GlobalSettings = field(default_factory=GlobalSettings)
    """Of the task ``global``."""
    style: StyleSettings = field(default_factory=StyleSettings)
    inpainting: InpaintingSettings = field(default_factory=InpaintingSettings)
    """Of ``remove``, ``add`` and ``background``."""
    num_readings: int = 1
    """First pictures of each edit of the other tasks, which are made of them without painting."""
    masks: MaskSettings = field(default_factory=MaskSettings)
    thresholds: ClipThresholds = field(default_factory=ClipThresholds)
    """Lowest similarities of a pair that is kept."""
    caption_contrast: float | None = None
    """By how many nats the profile's vision-language model must find each picture's own caption likelier than the other
    picture's; None, as in the paper, asks no such model."""
    max_depth_difference: float | None = 0.1
    """Highest mean absolute difference of the depth maps, where the picture should keep its shapes, as a share of the
    first map's range; None compares none."""
    confirms: bool = True
    """Whether the detector must find that what was to come came, and what was to go went."""
    max_kept: int = 1
    """Of an edit's candidates that pass, so many are kept, the best."""
    edits_per_batch: int = 4
    """Edits whose candidates are made together, as far as the memory allows."""
    seed: int = 0

    def __post_init__(self) -> None:
        if self.writer not in WRITERS:
            raise BadInputError(f"writer is {self.writer!r}; use {' or '.join(WRITERS)}")
        unknown = [task for task in self.tasks if task not in MADE_TASKS]
        if unknown or not self.tasks:
            raise BadInputError(f"tasks: {unknown[0] if unknown else 'none'!r}; use some of {', '.join(MADE_TASKS)}")
        check_each_once("tasks", self.tasks)
        if not 1 <= self.tasks_per_caption <= len(self.tasks):
            raise BadInputError(f"tasks_per_caption is {self.tasks_per_caption}; it must be in [1, {len(self.tasks)}]")
        check_at_least(
            self, 1, "num_inference_steps", "max_kept", "edits_per_batch", "requests_per_batch", "num_readings"
        )
        check_at_least(self, 0, "num_captions", "input_guidance_scale", "max_depth_difference")

    @property
    def roles(self) -> tuple[str, ...]:
        """The profile's roles that take part; beside them the task predictor, where the profile has one."""
        finds = any(task in _WITH_THINGS for task in self.tasks)
        compares = self.max_depth_difference is not None and any(task not in _ARITHMETIC for task in self.tasks)
        return (
            PAINTER_ROLE,
            CLIP_ROLE,
            *(FINDING_ROLES if finds else ()),
            *((DEPTH_ROLE,) if compares or "depth" in self.tasks else ()),
            *((JUDGE_ROLE,) if self.caption_contrast is not None else ()),
            *(("language_model",) if self.writer == "language_model" else ()),
        )
