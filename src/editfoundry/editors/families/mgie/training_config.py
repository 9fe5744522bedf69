"""The settings of an MGIE editor's training, beside those of any training on triplets."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from editfoundry.editors.triplet_training.content_hashes import dataset_hash, editor_hash, model_folder_hash
from editfoundry.editors.triplet_training.triplet_config import TripletConfig
from editfoundry.profiles import ModelReference

EXPRESSIVE_FIELDS = ("output_caption", "expressive_instruction", "instruction")
"""A triplet's texts that the language model can learn to answer with."""

TEXT_PARTS = ("text_encoder", "tokenizer")
"""Folders of an editor that `MgieTraining.text_loss_weight` learns from."""
MLLM_PRECISIONS = ("float32", "bfloat16")


@dataclass(frozen=True, kw_only=True)
class MgieTraining(TripletConfig):
    """Training of an MGIE editor. Relative paths start at the current folder."""

    editor: str
    """Where UNet, VAE and scheduler come from: an InstructPix2Pix editor, a text-to-image model, whose UNet is widened
    first, or an MGIE checkpoint, which gives all its parts. A folder, ``package:NAME`` or a hub id."""
    revision: str = "main"
    """Commit, tag or branch of a hub id."""
    mllm: str = ""
    """The LLaVA: a folder, ``package:NAME`` or a hub id; empty where ``editor`` is an MGIE checkpoint."""
    mllm_revision: str = "main"
    """Commit, tag or branch of a hub id."""
    batch_size: int = 128
    """Samples an optimizer step, over all processes and accumulation steps together."""
    weight_decay: float = 0.0
    """AdamW's; more would shrink the embeddings of words that no instruction has."""
    mllm_learning_rate: float = 5e-4
    """Peak rate of token embeddings and language-model head; ``learning_rate`` is that of UNet and edit head."""
    edit_loss_weight: float = 0.5
    """Of the denoising loss beside the language model's cross-entropy (MGIE, eq. 6); 0 leaves it out, and what it
    takes to compute."""
    text_loss_weight: float = 0.0
    """Of a third loss, which MGIE has not: the mean squared distance of what the edit head gives from what ``editor``'s
    own text encoder makes of the same words (GILL, Koh et al. 2023, eq. 4). It teaches a new edit head the language of
    a UNet that edits already, without a pass of that UNet."""
    text_loss_editor: str = ""
    """Whose text encoder that is: a folder, ``package:NAME`` or a hub id; by default ``editor``'s. An MGIE checkpoint
    has none of its own."""
    trains_unet: bool = True
    """Train the UNet; off, it stays as it is, so that two editors can have one."""
    mllm_precision: str = "float32"
    """Of the language model's blocks and vision tower, which are never trained: ``float32``, or ``bfloat16`` for half
    the memory; what is trained of it stays in float32."""
    trains_mllm: bool = True
    """Train the token embeddings and the language-model head."""
    trains_mllm_blocks: bool = False
    """Train the language model's blocks as well, which the paper leaves as they are: for a model that was never taught
    to answer such questions. Its vision tower stays as it is."""
    edit_loss_reaches_mllm: bool = True
    """Let the denoising loss train the language model, too (the paper's E2E); off, it learns to answer and nothing else
    (FT). Where ``trains_mllm`` is off (FZ), it learns neither."""
    sees_picture: bool = True
    """Show the language model the picture; off, the editor is the paper's LGIE, which knows the instruction alone."""
    expressive_field: str = "output_caption"
    """The text of a triplet that the language model learns to answer with: ``output_caption``, the
    ``expressive_instruction`` that ``editfoundry express`` wrote, or the raw ``instruction``."""
    head_dim: int = 512
    """Width of the edit head's transformer, see `EditHead`; of a new head alone, as what follows."""
    head_layers: int = 4
    """Of its encoder, and of its decoder."""
    head_heads: int = 4
    """Attention heads."""
    head_feedforward_dim: int = 2048
    """Inner width of its feed-forward layers."""
    num_queries: int = 77
    """Tokens that the UNet attends to."""
    gradient_checkpointing: bool = False
    """Compute activations of UNet and language model a second time in the backward pass instead of keeping them."""

    UNTOLD_AT_DEFAULT: ClassVar[frozenset[str]] = TripletConfig.UNTOLD_AT_DEFAULT | {
        *("edit_loss_reaches_mllm", "mllm_precision", "text_loss_weight", "text_loss_editor", "trains_unet"),
        "trains_mllm_blocks",
    }
    CHECKPOINT_FILE: ClassVar[str] = "model_index.json"
    WITHOUT_EFFECT: ClassVar[frozenset[str]] = TripletConfig.WITHOUT_EFFECT | {"gradient_checkpointing"}

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_each(("mllm_learning_rate",), lambda value: value > 0, "more than 0")
        self.check_each(("edit_loss_weight", "text_loss_weight"), lambda value: value >= 0, "at least 0")
        teaches_head = self.edit_loss_weight > 0 or self.text_loss_weight > 0
        self.check(teaches_head, "edit_loss_weight", "more than 0 where text_loss_weight is 0: no loss is left")
        is_learned_from = self.text_loss_weight > 0 or not self.text_loss_editor
        self.check(is_learned_from, "text_loss_editor", "empty where text_loss_weight is 0: nothing is learnt from it")
        is_needed = self.edit_loss_weight > 0 or not self.trains_unet
        self.check(is_needed, "edit_loss_weight", "more than 0 where trains_unet is on: nothing else teaches the UNet")
        sizes = ("head_dim", "head_layers", "head_heads", "head_feedforward_dim", "num_queries")
        self.check_each(sizes, lambda value: value >= 1, "at least 1")
        self.check(self.head_dim % self.head_heads == 0, "head_dim", "a multiple of head_heads")
        self.check(self.mllm_precision in MLLM_PRECISIONS, "mllm_precision", f"one of {', '.join(MLLM_PRECISIONS)}")
        is_mixed = self.mllm_precision == "float32" or self.mixed_precision == "bf16"
        self.check(is_mixed, "mllm_precision", "float32 where mixed_precision is not bf16")
        is_whole = self.trains_mllm and self.mllm_precision == "float32"
        blocks_rule = "false where trains_mllm is off or mllm_precision not float32"
        self.check(is_whole or not self.trains_mllm_blocks, "trains_mllm_blocks", blocks_rule)
        known = ", ".join(EXPRESSIVE_FIELDS)
        self.check(self.expressive_field in EXPRESSIVE_FIELDS, "expressive_field", f"one of {known}")
        off = "off: the language model's features of each picture are computed once, of its centred square"
        self.check_each(("aspect_ratios", "random_crop"), lambda value: not value, off)
        self.check_each(("train_text_encoder", "token_dropout"), lambda value: not value, "off: there is no encoder")

    def identity(self) -> dict[str, Any]:
        """Return the hashes of data set, starting editor and language model, taken when first asked for."""
        return self._identity

    @cached_property
    def _identity(self) -> dict[str, Any]:
        found = {
            "dataset": dataset_hash(self.dataset),
            "editor": editor_hash(self.editor_location, revision=self.revision),
        }
        if self.mllm:
            found["mllm"] = self.mllm_hash
        if self.text_loss_editor:
            found["text_encoder"] = editor_hash(self.text_loss_location, TEXT_PARTS)
        return found

    @cached_property
    def mllm_hash(self) -> str:
        """Hash of the language model's files, or of its hub id."""
        if not self.mllm:
            return editor_hash(self.editor_location, ["mllm"], self.revision)
        # Unlike an editor's, its files lie at the top of the folder.
        return model_folder_hash(self.mllm_reference.location, self.mllm_revision)

    @property
    def starts_from(self) -> tuple[str, ...]:
        """The editor, and where there are others, the language model and whose text encoder is learnt from."""
        mllm = (self.mllm_reference.location,) if self.mllm else ()
        return (self.editor_location, *mllm, self.text_loss_location)

    @property
    def editor_location(self) -> str:
        """What ``from_pretrained`` is called with."""
        return ModelReference(role="editor_base", source=self.editor).location

    @property
    def text_loss_location(self) -> str:
        """What ``from_pretrained`` is called with, of the editor whose text encoder is learnt from."""
        if not self.text_loss_editor:
            return self.editor_location
        return ModelReference(role="editor_base", source=self.text_loss_editor).location

    @property
    def mllm_reference(self) -> ModelReference:
        """The language model to start from, where it is not the editor's."""
        return ModelReference(role="vision_language_model", source=self.mllm, revision=self.mllm_revision)
