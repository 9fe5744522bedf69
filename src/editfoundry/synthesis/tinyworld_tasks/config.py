"""Which task edits are drawn; light to import."""

from __future__ import annotations

from dataclasses import dataclass

from editfoundry.data.bounds import check_each_once
from editfoundry.data.edit_tasks import EditTask
from editfoundry.errors import BadInputError
from editfoundry.tinyworld.scene_sampling import Split


@dataclass(frozen=True, kw_only=True)
class TaskTripletConfig:
    """Parameters of ``editfoundry tinyworld tasks``."""

    num_triplets: int = 1500
    """The tasks take turns, so each gets its share."""
    tasks: tuple[EditTask, ...]
    """Tasks to draw."""
    triplets_per_shard: int = 500
    seed: int = 0
    split: Split = "train"
    held_out_wording: bool = False
    """Whether instructions are worded as training never words them."""

    def __post_init__(self) -> None:
        for name in ("num_triplets", "triplets_per_shard"):
            if getattr(self, name) < 1:
                raise BadInputError(f"{name} is {getattr(self, name)}; it must be at least 1")
        if not self.tasks:
            raise BadInputError("tasks is empty; name at least one task")
        check_each_once("tasks", self.tasks)
