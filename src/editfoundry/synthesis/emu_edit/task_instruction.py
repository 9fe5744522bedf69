"""What is to be made: an edit of one task, with its captions and the thing that it is about."""

from __future__ import annotations

from dataclasses import dataclass

from editfoundry.data.edit_tasks import EditTask
from editfoundry.data.record import short_hash


@dataclass(frozen=True, kw_only=True)
class TaskInstruction:
    """An edit that the agent thought of."""

    task: EditTask
    caption: str
    """What the picture shows before."""
    edit: str
    """The instruction."""
    edited_object: str
    """The thing after the edit; empty where no single thing changes, or it is gone."""
    output: str
    """What the picture shows after."""
    original_object: str
    """The thing before the edit, in the caption's words; empty where there was none."""
    source: str
    """Id of the caption."""
    reads_output: bool = False
    """Whether the input is made from the output: a map that is to become its picture, a blurred picture that is to
    become sharp."""

    @property
    def id(self) -> str:
        """First 16 hex digits of the sha256 of its task and texts."""
        return short_hash(self.task, self.caption, self.edit, self.output, self.original_object, self.edited_object)

    @property
    def begins_with_output(self) -> bool:
        """Whether the output is painted first, and the input made from it: so a thing is added, by taking it away."""
        return self.reads_output or self.task is EditTask.ADD

    @property
    def first_caption(self) -> str:
        """What the picture that is painted first shows."""
        return self.output if self.begins_with_output else self.caption

    @property
    def second_caption(self) -> str:
        """What the other picture of the pair shows."""
        return self.caption if self.begins_with_output else self.output

    @property
    def first_object(self) -> str:
        """The thing that the edit is about, as the first picture has it; empty where it is about none."""
        return self.edited_object if self.begins_with_output else self.original_object

    def texts(self) -> dict[str, str]:
        """Return what a record of it says."""
        return {
            "task": str(self.task),
            "input_caption": self.caption,
            "instruction": self.edit,
            "output_caption": self.output,
            "source": self.source,
        }
