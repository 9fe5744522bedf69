"""How a language model is taught to write instructions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from editfoundry.data.hashing import file_hash
from editfoundry.errors import BadInputError
from editfoundry.profiles import DEFAULT_PROFILE, load_profile
from editfoundry.training.loop_config import LoopConfig


@dataclass(frozen=True, kw_only=True)
class InstructionTrainingConfig(LoopConfig):
    """The loop's settings, with rows and model; as a rule a few hundred rows, read a few times."""

    rows: Path
    """JSONL of ``input``, ``edit`` and ``output``, or of ``prompt`` and ``completion``."""
    profile: str = DEFAULT_PROFILE
    """Its ``language_model`` is what training starts from."""
    lora_rank: int = 16
    """Of the updates of each linear layer (LoRA), which the checkpoint then holds alone; 0 trains all weights."""
    lora_alpha: int = 32
    """The updates are scaled by ``lora_alpha / lora_rank``."""
    gradient_checkpointing: bool = False
    """Compute activations twice in the place of keeping them, to save memory."""
    batch_size: int = 16
    learning_rate: float = 2e-4
    weight_decay: float = 0.0
    use_ema: bool = False
    mlflow_experiment: str = "instructions"

    CHECKPOINT_FILE: ClassVar[str] = "tokenizer_config.json"
    WITHOUT_EFFECT: ClassVar[frozenset[str]] = LoopConfig.WITHOUT_EFFECT | {"rows", "profile", "gradient_checkpointing"}

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check(self.lora_rank >= 0, "lora_rank", "at least 0")
        self.check(self.lora_alpha >= 1, "lora_alpha", "at least 1")

    def identity(self) -> dict[str, Any]:
        """Return the hashes of the rows and of the model that training starts from.

        Raises:
            BadInputError: there are no rows, or the profile's model is an endpoint.
        """
        from editfoundry.pretrained.language_model import ROLE, language_model_identity

        if not self.rows.is_file():
            raise BadInputError(f"{self.rows}: missing; give a JSONL file of rows")
        profile = load_profile(self.profile)
        if profile.model(ROLE).is_endpoint:
            raise BadInputError(
                f"profile {self.profile!r}: its {ROLE} is an endpoint, which is fine-tuned where it runs: write the "
                "rows for it with --write-jsonl FILE, or take a profile with a model on this machine"
            )
        return {"rows": file_hash(self.rows), "language_model": language_model_identity(profile)}
