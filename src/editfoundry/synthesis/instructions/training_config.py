"""How a language model is taught to write instructions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from editfoundry.data.hashing import file_hash
from editfoundry.errors import BadInputError
from editfoundry.profiles import DEFAULT_PROFILE, ModelReference, load_profile
from editfoundry.synthesis.instructions.instruction_format import MARKS
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
    output_weight: float = 1.0
    """Weight in the loss of the edited captions' tokens, beside 1 of the instructions': one wrong word spoils a
    caption, and an instruction has many right ones."""
    recombined_share: float = 0.0
    """Share of the rows that are shown put together anew, see `recombination`: small models learn rows by heart before
    they learn to leave alone what is not edited."""
    marks_like: tuple[str, ...] = ()
    """Tokens that the format's three marks start out like where the tokenizer has to learn them, for small models whose
    own format has marks for the same; by default they start at random."""
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
        self.check(self.output_weight > 0, "output_weight", "more than 0")
        self.check(0 <= self.recombined_share <= 1, "recombined_share", "in [0, 1]")
        self.check(len(self.marks_like) in (0, len(MARKS)), "marks_like", f"{len(MARKS)} tokens, or none")

    def identity(self) -> dict[str, Any]:
        """Return the hashes of the rows and of the model that training starts from.

        Raises:
            BadInputError: there are no rows, or the profile's model is an endpoint.
        """
        from editfoundry.pretrained.language_model import language_model_identity

        self.starting_model()
        if not self.rows.is_file():
            raise BadInputError(f"{self.rows}: missing; give a JSONL file of rows")
        return {"rows": file_hash(self.rows), "language_model": language_model_identity(load_profile(self.profile))}

    @property
    def starts_from(self) -> tuple[str, ...]:
        """The language model."""
        return (self.starting_model().location,)

    def starting_model(self) -> ModelReference:
        """Return the model that training starts from.

        Raises:
            BadInputError: it is an endpoint.
        """
        from editfoundry.pretrained.language_model import ROLE

        reference = load_profile(self.profile).model(ROLE)
        if reference.is_endpoint:
            raise BadInputError(
                f"profile {self.profile!r}: its {ROLE} is an endpoint, which is fine-tuned where it runs: write the "
                "rows for it with --write-jsonl FILE, or take a profile with a model on this machine"
            )
        return reference
