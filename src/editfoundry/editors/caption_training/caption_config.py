"""The settings of a training on captioned pictures, beside those of the loop."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from editfoundry.data.captioned_pictures import captioned_pictures_hash
from editfoundry.editors.triplet_training.content_hashes import editor_hash
from editfoundry.pretrained.identity import model_identity
from editfoundry.profiles import DEFAULT_PROFILE, ModelReference, Profile, load_profile
from editfoundry.training.loop_config import LoopConfig

BOXES = ("detector", "stored", "none")


@dataclass(frozen=True, kw_only=True)
class CaptionTraining(LoopConfig):
    """Data and masks of an inpainter that learns from captioned pictures."""

    editor: str
    """What training starts from: a folder in diffusers' layout, ``package:NAME`` or a hub id."""
    revision: str = "main"
    """Commit, tag or branch of a hub id."""
    dataset: Path
    """Folder of WebDataset tars, or one tar, of captioned pictures; on the disk or ``s3://``."""
    boxes: str = "detector"
    """Who says where the things are that a caption names: the profile's ``detector``; ``stored``, the boxes that lie
    beside the pictures; or ``none``, and every mask is a random one."""
    profile: str = DEFAULT_PROFILE
    """Names the detector."""
    detector_threshold: float = 0.3
    """Least score of a box."""
    object_box: float = 0.4
    """How often the mask is the box of a thing that the caption names, relative to the sum of all five."""
    object_and_random: float = 0.25
    """The same for the union of such a box and a random mask."""
    random_box: float = 0.15
    """The same for a random box."""
    strokes: float = 0.1
    """The same for brush strokes."""
    full: float = 0.1
    """The same for the whole picture."""
    caption_dropout: float = 0.1
    """Share of captions left empty, for classifier-free guidance."""
    known_weight: float = 1.0
    """Weight of the loss outside the mask, 1 inside: the picture there only has to be copied."""
    gradient_checkpointing: bool = False
    """Compute activations a second time in the backward pass instead of keeping them."""
    num_samples: int = 4
    """Pictures of a grid of samples."""
    work_dir: Path = Path(".cache/training")
    """Folder of what is found out about the data once: where pictures lie, and boxes."""

    CHECKPOINT_FILE: ClassVar[str] = "model_index.json"
    WITHOUT_EFFECT: ClassVar[frozenset[str]] = LoopConfig.WITHOUT_EFFECT | {
        "gradient_checkpointing",
        "num_samples",
        "work_dir",
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check(self.boxes in BOXES, "boxes", f"one of {', '.join(BOXES)}")
        shares = ("object_box", "object_and_random", "random_box", "strokes", "full")
        self.check_each(shares, lambda value: value >= 0, "at least 0")
        self.check(sum(getattr(self, name) for name in shares) > 0, "object_box", "more than 0 where all others are 0")
        self.check_each(("caption_dropout", "known_weight"), lambda value: 0 <= value <= 1, "in [0, 1]")
        self.check_each(("detector_threshold",), lambda value: 0 < value < 1, "between 0 and 1")
        self.check(self.num_samples >= 1, "num_samples", "at least 1")

    def identity(self) -> dict[str, Any]:
        """Return the hashes of data set, starting editor and detector, taken when first asked for."""
        return self._identity

    @cached_property
    def _identity(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "dataset": captioned_pictures_hash(self.dataset, self.work_dir),
            "editor": editor_hash(self.editor_location, revision=self.revision),
        }
        if self.boxes == "detector":
            found["detector"] = model_identity(self.models, "detector")
        return found

    @property
    def roles(self) -> tuple[str, ...]:
        """The detector's, where it says where things are."""
        return ("detector",) if self.boxes == "detector" else ()

    @property
    def starts_from(self) -> tuple[str, ...]:
        """The editor."""
        return (self.editor_location,)

    @property
    def editor_location(self) -> str:
        """What ``from_pretrained`` is called with."""
        return ModelReference(role="inpainter", source=self.editor).location

    @property
    def models(self) -> Profile:
        """The profile that names the detector."""
        return load_profile(self.profile)
