"""Everything that a training run is told, in one file."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from editfoundry.errors import BadInputError

MIXED_PRECISIONS = ("no", "fp16", "bf16")
LR_SCHEDULES = ("cosine", "linear", "constant")
OPTIMIZERS = ("adamw", "adamw_8bit")
PREDICTION_TYPES = ("epsilon", "v_prediction")


_CHOICES = {"mixed_precision": MIXED_PRECISIONS, "lr_schedule": LR_SCHEDULES, "optimizer": OPTIMIZERS}
_AT_LEAST_ONE = (
    "num_steps", "batch_size", "gradient_accumulation_steps", "checkpoint_every", "num_checkpoints", "log_every",
    "validate_every", "num_validation_samples", "num_samples",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """Fine-tuning of an InstructPix2Pix editor. Relative paths start at the current folder."""

    editor: str
    """Editor to start from: a folder in diffusers' layout, or a hub id. A text-to-image UNet is widened first."""
    dataset: Path
    """Folder of triplet shards, or one shard."""
    output: Path
    """Folder of the finished checkpoint, in diffusers' layout."""
    num_steps: int
    """Optimizer steps."""
    batch_size: int = 64
    """Samples an optimizer step, over all processes and accumulation steps together."""
    gradient_accumulation_steps: int = 1
    """Parts in which each process works through its share of the batch, to save memory."""
    learning_rate: float = 1e-4
    """Peak rate of AdamW, per step."""
    lr_schedule: str = "cosine"
    """``cosine`` or ``linear`` (both down to zero) or ``constant``, after the warm-up."""
    num_warmup_steps: int = 0
    """Steps of linear warm-up."""
    optimizer: str = "adamw"
    """``adamw`` (fused) or ``adamw_8bit``, whose state takes a quarter of the memory and needs bitsandbytes."""
    weight_decay: float = 0.01
    """AdamW's, per step and unit of learning rate."""
    max_grad_norm: float = 1.0
    """L2 norm that gradients are clipped to."""
    mixed_precision: str = "no"
    """``no``, ``fp16`` or ``bf16``; weights stay in float32."""
    gradient_checkpointing: bool = False
    """Compute activations a second time in the backward pass instead of keeping them: slower, far less memory."""
    compile_unet: bool = False
    """``torch.compile`` the UNet: minutes at the start, faster steps on GPUs."""
    lora_rank: int = 0
    """Rank of LoRA updates of the UNet's attention; 0 trains all weights. The finished checkpoint has them merged."""
    lora_alpha: int | None = None
    """Scale of the updates, times the rank; by default the rank, for a factor of 1."""
    snr_gamma: float | None = None
    """Gamma of Min-SNR loss weights (Hang et al. 2023; 5 there); by default every timestep weighs the same."""
    change_weight: float = 1.0
    """Weight of the loss where a pair's latents differ, 1 elsewhere: for edits that change little of a picture."""
    prediction_type: str | None = None
    """What the UNet learns to predict, ``epsilon`` or ``v_prediction``; by default what the editor did."""
    zero_terminal_snr: bool = False
    """Train on a schedule that ends in pure noise (Lin et al. 2023), which takes v-prediction."""
    use_ema: bool = True
    """Ship the running average of the UNet's weights."""
    ema_decay: float = 0.999
    """Largest decay a step of the average; it starts lower. The paper's is 0.9999."""
    conditioning_dropout: float = 0.05
    """Probability of each of: no instruction, neither, no input image (InstructPix2Pix, section 3.2.1)."""
    token_dropout: float = 0.0
    """Probability that a token is left out of a sample's instruction, so that no instruction is learnt by heart."""
    horizontal_flip: bool = False
    """Mirror half of the pairs, both images at once. Off where instructions say left and right."""
    random_crop: bool = False
    """Crop each pair to a random square instead of the centred one, one draw a pair; needs cache_latents off."""
    min_crop_share: float = 0.8
    """Smallest side of a random crop, as a share of the picture's shorter side."""
    resolution: int | None = None
    """Side of the square training images in pixels; by default the editor's own."""
    train_text_encoder: bool = False
    """Train the text encoder with the UNet."""
    cache_latents: bool = True
    """Encode each pair once and keep it on disk; turn off where that takes too much room, or for random crops."""
    cache_text_embeddings: bool = True
    """Keep each distinct instruction's embedding on disk; turn off where that takes too much room."""
    seed: int = 0
    checkpoint_every: int = 500
    """Steps between resumable checkpoints."""
    num_checkpoints: int = 2
    """Resumable checkpoints that are kept, the newest ones."""
    checkpoint_uri: str | None = None
    """``s3://BUCKET/PREFIX`` that resumable checkpoints are copied to, and fetched from where the disk has none."""
    log_every: int = 10
    """Steps that one point of the loss curve averages."""
    validation_dataset: Path | None = None
    """Triplet shards whose loss is measured at intervals; none, no validation."""
    validate_every: int = 500
    """Steps between validations."""
    num_validation_samples: int = 256
    """Triplets at most that a validation takes."""
    sample_every: int = 0
    """Steps between grids of sampled edits, in ``<output>/samples``; 0 for none."""
    num_samples: int = 4
    """Edits of a grid, of the validation data or else of the training data, always with the same noise."""
    work_dir: Path = Path(".cache/training")
    """Folder of cached latents and embeddings, shared by runs on the same data."""
    mlflow_tracking_uri: str | None = None
    """Tracking server to log to; none, no logging."""
    mlflow_experiment: str = "training"
    """Experiment that the run is logged under."""

    def __post_init__(self) -> None:
        for name in _AT_LEAST_ONE:
            _require(getattr(self, name) >= 1, name, getattr(self, name), "at least 1")
        for name in ("learning_rate", "max_grad_norm", "snr_gamma", "lora_alpha"):
            value = getattr(self, name)
            _require(value is None or value > 0, name, value, "more than 0")
        for name in ("num_warmup_steps", "weight_decay", "lora_rank", "sample_every"):
            _require(getattr(self, name) >= 0, name, getattr(self, name), "at least 0")
        _require(self.change_weight >= 1, "change_weight", self.change_weight, "at least 1")
        _require(0 < self.min_crop_share <= 1, "min_crop_share", self.min_crop_share, "in (0, 1]")
        _require(0 <= self.ema_decay < 1, "ema_decay", self.ema_decay, "in [0, 1)")
        dropout = self.conditioning_dropout
        _require(0 <= dropout <= 1 / 3, "conditioning_dropout", dropout, "in [0, 1/3]: it is used three times")
        _require(0 <= self.token_dropout < 1, "token_dropout", self.token_dropout, "in [0, 1)")
        _require(self.resolution is None or self.resolution >= 8, "resolution", self.resolution, "at least 8 pixels")
        for name, allowed in _CHOICES.items():
            _require(getattr(self, name) in allowed, name, getattr(self, name), f"one of {', '.join(allowed)}")
        self._check_combinations()

    def _check_combinations(self) -> None:
        parts = self.batch_size % self.gradient_accumulation_steps
        _require(parts == 0, "batch_size", self.batch_size, "a multiple of gradient_accumulation_steps")
        kind = self.prediction_type
        _require(kind in (None, *PREDICTION_TYPES), "prediction_type", kind, f"one of {', '.join(PREDICTION_TYPES)}")
        v_rule = "v_prediction where zero_terminal_snr is on: of pure noise, epsilon tells nothing"
        _require(not (self.zero_terminal_snr and kind == "epsilon"), "prediction_type", kind, v_rule)
        crop_rule = "false where cache_latents is on: each crop has latents of its own"
        _require(not (self.random_crop and self.cache_latents), "random_crop", self.random_crop, crop_rule)
        is_encoded_once = self.cache_text_embeddings and not self.train_text_encoder
        token_rule = "0 where cache_text_embeddings is on and train_text_encoder off: instructions are encoded once"
        _require(not (self.token_dropout and is_encoded_once), "token_dropout", self.token_dropout, token_rule)
        uri = self.checkpoint_uri
        _require(uri is None or uri.startswith("s3://"), "checkpoint_uri", uri, "an address s3://BUCKET/PREFIX")

    @classmethod
    def from_file(cls, path: Path) -> TrainingConfig:
        """Read a YAML or JSON file whose keys are this class's fields.

        Raises:
            BadInputError: the file is missing, is not a mapping, or a key or value is wrong.
        """
        import yaml

        try:
            values = yaml.safe_load(Path(path).read_text())
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            reason = " ".join(str(error).split())
            raise BadInputError(f"{path}: cannot be read as a training configuration: {reason}") from error
        if not isinstance(values, dict):
            raise BadInputError(f"{path}: a training configuration is a mapping of names to values")
        try:
            return cls.from_values(values)
        except BadInputError as error:
            raise BadInputError(f"{path}: {error}") from error

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> TrainingConfig:
        """Take plain values, as a YAML file gives them.

        Raises:
            BadInputError: a key or value is wrong.
        """
        return cls(**_typed(values))

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {k: str(v) if isinstance(v, Path) else v for k, v in dataclasses.asdict(self).items()}


def _require(holds: bool, name: str, value: object, rule: str) -> None:
    if not holds:
        raise BadInputError(f"{name} is {value!r}, but must be {rule}")


def _typed(values: Mapping[str, Any]) -> dict[str, Any]:
    fields = {f.name: f for f in dataclasses.fields(TrainingConfig)}
    unknown = [str(name) for name in values if name not in fields]
    if unknown:
        raise BadInputError(f"unknown setting {unknown[0]!r}: the settings are {', '.join(fields)}")
    required = [n for n, f in fields.items() if f.default is dataclasses.MISSING and n not in values]
    if required:
        raise BadInputError(f"setting {required[0]!r} is missing")
    return {name: _converted(name, str(fields[name].type), value) for name, value in values.items()}


def _converted(name: str, annotation: str, value: Any) -> Any:
    kind, _, optional = annotation.partition(" | ")
    if value is None and optional:
        return None
    try:
        # YAML reads 1e-4, without a dot, as text.
        if kind == "float" and not isinstance(value, bool):
            return float(value)
        if kind == "Path" and isinstance(value, str):
            return Path(value)
    except (TypeError, ValueError):
        pass
    if (kind == "int" and type(value) is int) or (kind == "bool" and type(value) is bool):
        return value
    if kind == "str" and (isinstance(value, str) or value is False):
        # YAML reads an unquoted no as false.
        return "no" if value is False else value
    raise BadInputError(f"{name} is {value!r}, which is not of type {annotation}")
