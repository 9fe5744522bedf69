"""The settings of an InstructPix2Pix editor's fine-tuning, beside those of any training on triplets."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from editfoundry.editors.triplet_training.content_hashes import dataset_hash, editor_hash
from editfoundry.editors.triplet_training.triplet_config import TripletConfig
from editfoundry.profiles import ModelReference

IMAGE_CHANNELS = ("zero", "random")
"""What new channels can start at."""


@dataclass(frozen=True, kw_only=True)
class InstructPix2PixTraining(TripletConfig):
    """Fine-tuning of an InstructPix2Pix editor. Relative paths start at the current folder."""

    editor: str
    """Editor to start from: a folder in diffusers' layout, ``package:NAME`` of a shipped one, or a hub id. The UNet of
    a text-to-image model is widened first."""
    revision: str = "main"
    """Commit, tag or branch of a hub id."""
    image_channels: str = "zero"
    """What the input picture's channels of a UNet that is widened start at: ``zero`` (InstructPix2Pix, section 3.2), or
    ``random`` as any new layer, to compare the two."""
    from_scratch: bool = False
    """Start the UNet at random weights, and take only the editor's other parts, to measure what its weights are
    worth."""
    lora_rank: int = 0
    """Rank of LoRA updates of the UNet's attention; 0 trains all weights. The finished checkpoint has them merged."""
    lora_alpha: int | None = None
    """Scale of the updates, times the rank; by default the rank, for a factor of 1."""
    ema_text_encoder: bool = False
    """Average a text encoder that trains as well, as ``use_ema`` does the UNet; off, its last weights are shipped."""
    gradient_checkpointing: bool = False
    """Compute activations a second time in the backward pass instead of keeping them: slower, far less memory."""
    compile_unet: bool = False
    """``torch.compile`` the UNet: minutes at the start, faster steps on GPUs."""

    CHECKPOINT_FILE: ClassVar[str] = "model_index.json"
    WITHOUT_EFFECT: ClassVar[frozenset[str]] = TripletConfig.WITHOUT_EFFECT | {"gradient_checkpointing", "compile_unet"}
    UNTOLD_AT_DEFAULT: ClassVar[frozenset[str]] = TripletConfig.UNTOLD_AT_DEFAULT | {
        "ema_text_encoder",
        "revision",
        "image_channels",
        "from_scratch",
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_each(("lora_alpha",), lambda value: value is None or value > 0, "more than 0")
        self.check_each(("lora_rank",), lambda value: value >= 0, "at least 0")
        self.check_each(("image_channels",), IMAGE_CHANNELS.__contains__, f"one of {', '.join(IMAGE_CHANNELS)}")
        self.check(not (self.from_scratch and self.lora_rank), "lora_rank", "0 where from_scratch is on")

    def identity(self) -> dict[str, Any]:
        """Return the hashes of data set and starting editor, taken when first asked for."""
        return self._identity

    @cached_property
    def _identity(self) -> dict[str, Any]:
        return {
            "dataset": dataset_hash(self.dataset),
            "editor": editor_hash(self.editor_location, revision=self.revision),
        }

    @property
    def starts_from(self) -> tuple[str, ...]:
        """The editor."""
        return (self.editor_location,)

    @property
    def lora_scale(self) -> int:
        """``lora_alpha``, or what it is by default."""
        return self.lora_alpha or self.lora_rank

    @property
    def editor_location(self) -> str:
        """What ``from_pretrained`` is called with."""
        return ModelReference(role="editor_base", source=self.editor).location
