"""The settings of an Emu Edit editor's training, and of learning one more task for it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from editfoundry.editors.families.emu_edit.task_choice import RESERVED
from editfoundry.editors.families.instruct_pix2pix.training_config import InstructPix2PixTraining
from editfoundry.errors import BadInputError

EDITOR_STAYS = "where invert_task is set: the editor stays as it is"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True, kw_only=True)
class EmuEditTraining(InstructPix2PixTraining):
    """Training of a UNet and its table of tasks together; ``task`` of each triplet says which row it trains."""

    task_dropout: float = 0.05
    """Probability that a sample keeps its instruction and loses its task, so that the editor also edits without one."""
    task_learning_rate_scale: float = 1.0
    """Factor of ``learning_rate`` for the table of tasks."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_each(("task_dropout",), lambda value: 0 <= value <= 1, "in [0, 1]")
        self.check_each(("task_learning_rate_scale",), lambda value: value > 0, "more than 0")


@dataclass(frozen=True, kw_only=True)
class TaskInversion(EmuEditTraining):
    """Learning of one more task's embedding from few examples; the editor stays as it is (Emu Edit, section 4.4)."""

    invert_task: str
    """Name of the task, and of the file ``<output>/NAME.safetensors``: letters, digits, ``-`` and ``_``."""
    task_dropout: float = 0.0
    """As of `EmuEditTraining`; a sample without the task teaches nothing here."""

    STAGE: ClassVar[str] = "task inversion"

    def __post_init__(self) -> None:
        super().__post_init__()
        name = self.invert_task
        self.check(bool(_NAME.fullmatch(name)), "invert_task", "letters, digits, - and _, at most 64 of them")
        self.check(name not in RESERVED, "invert_task", f"another name: {', '.join(RESERVED)} mean something else")
        if self.lora_rank or self.train_text_encoder:
            raise BadInputError("lora_rank and train_text_encoder are set, but only the task is learnt: leave them out")
        self.check(not self.from_scratch, "from_scratch", f"false {EDITOR_STAYS}")
        self.check(self.image_channels == "zero", "image_channels", f"zero {EDITOR_STAYS}")

    @property
    def checkpoint_file(self) -> str:
        """The learnt task; others may lie beside it."""
        return f"{self.invert_task}.safetensors"

    @property
    def folder(self) -> Path:
        """The editor's folder."""
        return Path(self.editor_location)
