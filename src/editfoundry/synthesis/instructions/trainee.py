"""A language model that learns to write instructions; the loss is on its answers alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from safetensors.torch import save_file
from torch import Tensor, nn

from editfoundry.errors import BadInputError
from editfoundry.pretrained.activation_checkpointing import checkpoint_activations
from editfoundry.pretrained.adapters import CONFIG_FILE, WEIGHTS_FILE, adapter_base, make_room
from editfoundry.pretrained.causal_lm import chat_tokens, context_length, open_causal_lm
from editfoundry.pretrained.language_model import ROLE
from editfoundry.profiles import ModelReference
from editfoundry.synthesis.instructions.instruction_format import BETWEEN_ANSWERS, MARKS, completion, question
from editfoundry.synthesis.instructions.instruction_rows import InstructionRow, read_instruction_rows
from editfoundry.synthesis.instructions.new_words import learn_words
from editfoundry.synthesis.instructions.recombination import Recombination
from editfoundry.synthesis.instructions.training_config import InstructionTrainingConfig
from editfoundry.training.trainee import Modules, TrainedPart, Validation

IGNORED = -100
"""Label of a token that is no part of an answer."""


@dataclass(frozen=True)
class TokenizedRow:
    """A question and the answer that is taught."""

    prompt: tuple[int, ...]
    answer: tuple[int, ...]
    """Its end token included."""
    num_edit: int = 0
    """Tokens of the answer that are the instruction and the delimiter behind it."""

    @property
    def length(self) -> int:
        """Tokens in all."""
        return len(self.prompt) + len(self.answer)


@dataclass(frozen=True)
class InstructionTrainee:
    """See `training.trainee.Trainee`."""

    config: InstructionTrainingConfig
    model: Any
    """With LoRA, peft's wrapper."""
    tokenizer: Any
    rows: Sequence[TokenizedRow]
    recombination: Recombination
    """Of the rows."""
    stored: torch.dtype
    """Precision that the checkpoint is written in, that of the model trained from."""
    num_new_words: int
    device: torch.device

    @classmethod
    def load(cls, config: InstructionTrainingConfig, accelerator: Accelerator) -> InstructionTrainee:
        """Load the profile's language model, teach its tokenizer the rows' words, and tokenize the rows.

        Raises:
            BadInputError: a row is malformed, or longer than the model takes.
            MissingModelError: the model is not on this machine.
        """
        reference = config.starting_model()
        rows = list(read_instruction_rows(config.rows))
        model, tokenizer = _open(reference, accelerator, config)
        new = learn_words(tokenizer, [text for row in rows for text in (row.input, row.edit, row.output)])
        stored = _stored_precision(reference)
        make_room(model, tokenizer)
        if new and config.marks_like:
            _start_marks(model, tokenizer, config.marks_like)
        if config.lora_rank:
            model = _with_lora(model, reference, config, new)
        if config.gradient_checkpointing:
            checkpoint_activations(model)
            model.enable_input_require_grads()
        tokenized = [tokenize_row(tokenizer, row) for row in rows]
        _check_lengths(tokenized, context_length(model), config.rows)
        return cls(
            config,
            model.to(accelerator.device),
            tokenizer,
            tokenized,
            Recombination(rows),
            stored,
            len(new),
            accelerator.device,
        )

    @property
    def parts(self) -> list[TrainedPart]:
        """The model."""
        return [TrainedPart(self.model)]

    @property
    def data_description(self) -> str:
        """For a log line."""
        return f"{len(self.rows)} rows"

    @property
    def likely_fault(self) -> str:
        """What spoils a loss."""
        return f"odd rows in {self.config.rows}"

    def batch(self, step: int, part: slice) -> tuple[Tensor, Tensor, Tensor]:
        """Return token ids, labels and weights ``(B, L)`` of some of a step's rows; each epoch has its own order."""
        first = step * self.config.batch_size
        chosen = [self._row(first + place) for place in range(*part.indices(self.config.batch_size))]
        ids, labels = padded(chosen, self.tokenizer.pad_token_id or 0)
        weights = torch.ones(labels.shape)
        for number, row in enumerate(chosen):
            weights[number, len(row.prompt) + row.num_edit :] = self.config.output_weight
        pin = self.device.type == "cuda"
        return (ids.pin_memory(), labels.pin_memory(), weights.pin_memory()) if pin else (ids, labels, weights)

    def _row(self, number: int) -> TokenizedRow:
        """Return the row that is the ``number``-th shown, put together anew or as it is."""
        epoch, place = divmod(number, len(self.rows))
        index = _order(self.config.seed, epoch, len(self.rows))[place]
        random = np.random.default_rng((self.config.seed, number))
        if random.random() < self.config.recombined_share:
            drawn = tokenize_row(self.tokenizer, self.recombination.draw(index, random))
            if drawn.length <= context_length(self.model):
                return drawn
        return self.rows[index]

    def loss(self, modules: Modules, batch: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        """Return the weighted mean cross-entropy of the answers' tokens."""
        ids, labels, weights = (tensor.to(self.device, non_blocking=True) for tensor in batch)
        # Padding stands on the right, where causal attention does not see it from a token that counts.
        logits = modules[0](input_ids=ids, use_cache=False).logits
        taught = labels[:, 1:] != IGNORED
        losses = nn.functional.cross_entropy(logits[:, :-1][taught].float(), labels[:, 1:][taught], reduction="none")
        counted = weights[:, 1:][taught]
        return (losses * counted).sum() / counted.sum()

    def validation(self) -> Sequence[Validation]:
        """Return nothing: what is written is what counts, and is looked at afterwards."""
        return ()

    def write_samples(self, path: Path) -> None:
        """Write nothing: there is no picture."""

    def save(self, folder: Path, whole: Sequence[Mapping[str, Tensor]] | None) -> None:
        """Write the model, or with LoRA its updates alone, and the tokenizer."""
        weights = None if whole is None else dict(whole[0])
        if self.config.lora_rank:
            self._save_adapter(folder, weights)
        else:
            self.model.to(self.stored).save_pretrained(folder, state_dict=weights)
        self.tokenizer.save_pretrained(folder)

    def _save_adapter(self, folder: Path, weights: dict[str, Tensor] | None) -> None:
        from peft import get_peft_model_state_dict

        updates = get_peft_model_state_dict(self.model, state_dict=weights, save_embedding_layers=False)
        stored = {name: value.detach().to("cpu", self.stored).contiguous() for name, value in updates.items()}
        save_file(stored, folder / WEIGHTS_FILE, metadata={"format": "pt"})
        self.model.peft_config["default"].save_pretrained(folder)
        assert (folder / CONFIG_FILE).is_file()

    def facts(self) -> dict[str, Any]:
        """Return what it learned from."""
        return {
            "language_model": str(self.config.starting_model()),
            "num_rows": len(self.rows),
            "num_answer_tokens": sum(len(row.answer) for row in self.rows),
            "num_new_words": self.num_new_words,
            "num_trained_parameters": sum(p.numel() for p in self.model.parameters() if p.requires_grad),
        }


def tokenize_row(tokenizer: Any, row: InstructionRow) -> TokenizedRow:
    """Return a row as the model is asked and answers: the answer's tokens begin anew, as they do where it is drawn."""
    answer = tokenizer(completion(row.edit, row.output), add_special_tokens=False)["input_ids"]
    edit = tokenizer(row.edit + BETWEEN_ANSWERS, add_special_tokens=False)["input_ids"]
    prompt = chat_tokens(tokenizer, question(row.input))
    return TokenizedRow(tuple(prompt), (*answer, tokenizer.eos_token_id), len(edit))


def padded(rows: Sequence[TokenizedRow], pad: int) -> tuple[Tensor, Tensor]:
    """Return token ids and labels ``(B, L)`` int64, padded on the right; labels outside of answers are ``IGNORED``."""
    width = max(row.length for row in rows)
    ids, labels = torch.full((len(rows), width), pad), torch.full((len(rows), width), IGNORED)
    for number, row in enumerate(rows):
        end = row.length
        ids[number, :end] = torch.tensor(row.prompt + row.answer)
        labels[number, len(row.prompt) : end] = torch.tensor(row.answer)
    return ids, labels


@lru_cache(maxsize=4)
def _order(seed: int, epoch: int, count: int) -> tuple[int, ...]:
    generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
    return tuple(torch.randperm(count, generator=generator).tolist())


def _open(reference: ModelReference, accelerator: Accelerator, config: InstructionTrainingConfig) -> tuple[Any, Any]:
    """Load the model; frozen weights beside LoRA may lie in half precision."""
    if adapter_base(reference) is not None and config.lora_rank:
        raise BadInputError(
            f"role {ROLE!r}: {reference.location} is an adapter: LoRA starts from a whole model; set lora_rank to 0 to "
            "train on from it"
        )
    halves = config.lora_rank and accelerator.mixed_precision == "bf16"
    model, tokenizer = open_causal_lm(reference, torch.bfloat16 if halves else torch.float32)
    return model.train(), tokenizer


def _with_lora(model: Any, reference: ModelReference, config: InstructionTrainingConfig, new: Sequence[int]) -> Any:
    """Freeze the model but for updates of its linear layers, and for the rows of new words."""
    from peft import LoraConfig, get_peft_model

    adapted: Any = get_peft_model(
        model,
        LoraConfig(
            r=config.lora_rank,
            lora_alpha=config.lora_alpha,
            target_modules="all-linear",
            task_type="CAUSAL_LM",
            trainable_token_indices=list(new) or None,
        ),
    )
    # Where it comes from, not where that lay on this machine.
    told = adapted.peft_config["default"]
    told.base_model_name_or_path, told.revision = reference.source, reference.revision
    return adapted


def _start_marks(model: Any, tokenizer: Any, like: Sequence[str]) -> None:
    """Let the marks start out like tokens that the model knows.

    Raises:
        BadInputError: it knows no such token.
    """
    known = tokenizer.get_vocab()
    for token in like:
        if token not in known:
            raise BadInputError(f"marks_like holds {token!r}, which is no token of the language model")
    weights = model.get_input_embeddings().weight.data
    for mark, token in zip(MARKS, like, strict=True):
        weights[known[mark]] = weights[known[token]]


def _stored_precision(reference: ModelReference) -> torch.dtype:
    """Return the precision that a model's files have; of an adapter, the one it was opened in."""
    from transformers import AutoConfig

    if adapter_base(reference) is not None:
        return torch.float32
    options = {"revision": reference.revision, "local_files_only": reference.is_local}
    told = AutoConfig.from_pretrained(reference.location, **options).dtype
    return told if isinstance(told, torch.dtype) else torch.float32


def _check_lengths(rows: Sequence[TokenizedRow], most: int, path: Path) -> None:
    for number, row in enumerate(rows, start=1):
        if row.length > most:
            raise BadInputError(f"{path}: row {number} has {row.length} tokens, and the model takes {most}; shorten it")
