"""What the training loop is told, whatever it trains."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from editfoundry.errors import BadInputError

MIXED_PRECISIONS = ("no", "fp16", "bf16")
LR_SCHEDULES = ("cosine", "linear", "constant")
OPTIMIZERS = ("adamw", "adamw_8bit")
MAX_SEED = 2**32 - 1
"""The largest seed that Python, numpy and torch all take."""


@dataclass(frozen=True, kw_only=True)
class LoopConfig:
    """Steps, optimizer, average, checkpoints and logs. Relative paths start at the current folder.

    A family of editors adds its settings in a subclass, so that a person writes one flat file.
    """

    output: Path
    """Folder of the finished checkpoint."""
    num_steps: int
    """Optimizer steps."""
    batch_size: int = 64
    """Samples an optimizer step, over all processes and accumulation steps together."""
    gradient_accumulation_steps: int = 1
    """Parts in which each process works through its share of the batch, to save memory."""
    learning_rate: float = 1e-4
    """Peak rate of AdamW, per step."""
    lr_schedule: str = "cosine"
    """``cosine`` or ``linear`` (both down to ``lr_end_share``) or ``constant``, after the warm-up."""
    lr_end_share: float = 0.0
    """Share of the peak rate that a falling schedule ends at."""
    num_warmup_steps: int = 0
    """Steps of linear warm-up."""
    optimizer: str = "adamw"
    """``adamw`` (fused) or ``adamw_8bit``, whose state takes a quarter of the memory and needs bitsandbytes."""
    adam_beta2: float = 0.999
    """AdamW's decay, per step, of the mean squared gradient; less follows changes faster."""
    weight_decay: float = 0.01
    """AdamW's, per step and unit of learning rate."""
    max_grad_norm: float = 1.0
    """L2 norm that gradients are clipped to."""
    mixed_precision: str | None = None
    """``no``, ``fp16`` or ``bf16``; weights stay in float32. By default what ``accelerate launch`` says."""
    allow_tf32: bool = False
    """Let float32 products and convolutions of a GPU round to TF32, as they do anyway beside ``fp16`` and ``bf16``."""
    use_ema: bool = True
    """Ship the running average of the trained weights."""
    ema_decay: float = 0.999
    """Largest decay a step of the average; it starts lower. InstructPix2Pix's is 0.9999."""
    ema_update_after_step: int = 0
    """Step up to which the average is a copy of the weights; -1 averages the starting weights in, too."""
    ema_on_cpu: bool = False
    """Keep the running average in the CPU's memory: no GPU memory for it, a copy of the weights at every step."""
    seed: int = 0
    checkpoint_every: int = 500
    """Steps between resumable checkpoints."""
    checkpoint_every_seconds: float | None = None
    """Seconds between resumable checkpoints, in the place of ``checkpoint_every``."""
    num_checkpoints: int = 2
    """Resumable checkpoints that are kept, the newest ones."""
    checkpoint_uri: str | None = None
    """``s3://BUCKET/PREFIX`` that resumable checkpoints are copied to, and fetched from where the disk has none."""
    log_every: int = 10
    """Steps that one point of the loss curve averages."""
    validate_every: int = 500
    """Steps between validations, where there is something to validate on."""
    sample_every: int = 0
    """Steps between pictures of what the model makes, in ``<output>/samples``; 0 for none."""
    ends_at: float | None = None
    """Unix time by which the training has to be over; see `schedule`. One process only."""
    mlflow_tracking_uri: str | None = None
    """Tracking server to log to; none, no logging."""
    mlflow_experiment: str = "training"
    """Experiment that the run is logged under."""

    WITHOUT_EFFECT: ClassVar[frozenset[str]] = frozenset(
        {
            "output",
            "gradient_accumulation_steps",
            "ema_on_cpu",
            "checkpoint_every",
            "checkpoint_every_seconds",
            "num_checkpoints",
            "checkpoint_uri",
            "log_every",
            "validate_every",
            "sample_every",
            "ends_at",
            "mlflow_tracking_uri",
            "mlflow_experiment",
        }
    )
    """Settings that leave the trained weights as they are, up to rounding (accumulation that of MGIE and of the
    instruction model only nearly, see docs/training.md); and when it has to be over: what ended then is finished."""
    CHECKPOINT_FILE: ClassVar[str] = "model.safetensors"
    """A file that every finished checkpoint has."""
    STAGE: ClassVar[str] = "training"
    """Whose output the folder is; what another stage left there is not replaced."""
    UNTOLD_AT_DEFAULT: ClassVar[frozenset[str]] = frozenset(
        {"lr_end_share", "adam_beta2", "ema_update_after_step", "checkpoint_every_seconds", "allow_tf32", "ends_at"}
    )
    """Settings that came later: left out of hashes and summaries at their defaults, so that what was trained before
    they were there stays trained."""

    def __post_init__(self) -> None:
        numbers = [name for name, value in vars(self).items() if isinstance(value, float)]
        self.check_each(numbers, math.isfinite, "a finite number")
        self.check_each(("seed",), lambda value: 0 <= value <= MAX_SEED, f"0 to {MAX_SEED}")
        at_least_one = ("num_steps", "batch_size", "gradient_accumulation_steps", "checkpoint_every", "num_checkpoints")
        self.check_each((*at_least_one, "log_every", "validate_every"), lambda value: value >= 1, "at least 1")
        self.check_each(("learning_rate", "max_grad_norm"), lambda value: value > 0, "more than 0")
        self.check_each(("num_warmup_steps", "weight_decay", "sample_every"), lambda value: value >= 0, "at least 0")
        self.check_each(("checkpoint_every_seconds",), lambda value: value is None or value >= 0, "at least 0")
        self.check_each(("ema_decay", "adam_beta2"), lambda value: 0 <= value < 1, "in [0, 1)")
        self.check_each(("lr_end_share",), lambda value: 0 <= value <= 1, "in [0, 1]")
        self.check_each(("ema_update_after_step",), lambda value: value >= -1, "at least -1")
        choices = {"mixed_precision": (None, *MIXED_PRECISIONS), "lr_schedule": LR_SCHEDULES, "optimizer": OPTIMIZERS}
        for name, allowed in choices.items():
            self.check(getattr(self, name) in allowed, name, f"one of {', '.join(filter(None, allowed))}")
        parts = self.batch_size % self.gradient_accumulation_steps
        self.check(parts == 0, "batch_size", "a multiple of gradient_accumulation_steps")
        uri = self.checkpoint_uri
        self.check(uri is None or uri.startswith("s3://"), "checkpoint_uri", "an address s3://BUCKET/PREFIX")

    def check(self, holds: bool, name: str, rule: str) -> None:
        """Raise BadInputError, which names the setting, its value and the rule, unless the rule ``holds``."""
        if not holds:
            raise BadInputError(f"{name} is {getattr(self, name)!r}, but must be {rule}")

    def check_each(self, names: Iterable[str], holds: Callable[[Any], bool], rule: str) -> None:
        """Check several settings against one rule."""
        for name in names:
            self.check(holds(getattr(self, name)), name, rule)

    def identity(self) -> dict[str, Any]:
        """Return content hashes of what the trained weights depend on beside the settings, by the setting's name.

        Raises:
            BadInputError: an input is missing or unfinished.
        """
        return {}

    @property
    def checkpoint_file(self) -> str:
        """The file of ``output`` that tells that this training has finished."""
        return self.CHECKPOINT_FILE

    @property
    def starts_from(self) -> tuple[str, ...]:
        """What training starts from: folders and hub ids; they stay as they are."""
        return ()

    def check_output(self) -> None:
        """Refuse an ``output`` that would take the place of what training starts from.

        Raises:
            BadInputError: it is such a folder, lies in one or holds one.
        """
        output = self.output.resolve()
        for start in (Path(location) for location in self.starts_from if location):
            own = start.resolve()
            if start.is_dir() and (output == own or output in own.parents or own in output.parents):
                raise BadInputError(
                    f"output is {str(self.output)!r}, but must be apart from {start}, which training starts from and "
                    "would write over: name another folder"
                )

    @property
    def roles(self) -> tuple[str, ...]:
        """Roles of the profile whose models the training asks beside those that it names."""
        return ()

    def as_dict(self) -> dict[str, Any]:
        """Return the settings as JSON values, those of `UNTOLD_AT_DEFAULT` only where they say something."""
        told = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name not in self.UNTOLD_AT_DEFAULT or getattr(self, field.name) != field.default
        }
        return {name: str(value) if isinstance(value, Path) else value for name, value in told.items()}
