"""A moderator on this machine: a classifier of texts, of transformers' sequence-classification classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from editfoundry.errors import BadInputError
from editfoundry.pretrained.opening import load_whole, opening
from editfoundry.pretrained.passes import Passes
from editfoundry.pretrained.placement import device_of, place, with_model_at_work
from editfoundry.pretrained.runtime import Runtime
from editfoundry.pretrained.tokenizer_check import check_tokenizer
from editfoundry.profiles import ModelReference

SAFE_LABELS = ("ok", "safe", "neutral", "normal", "non-toxic", "not toxic")
"""Labels that stand for a text without fault, where the profile's option ``safe_labels`` names no others."""
THRESHOLD = 0.5
BATCH_SIZE = 64


@dataclass(frozen=True)
class TextClassifier:
    """A classifier of texts, of transformers' sequence-classification classes."""

    name: str
    model: Any
    tokenizer: Any
    runtime: Runtime
    unsafe: tuple[int, ...]
    """Numbers of the labels that flag a text."""
    threshold: float
    """Probability from which on a text is flagged: of the unsafe labels together where a text has one label, of any of
    them where it can have several."""
    batch_size: int = BATCH_SIZE

    @with_model_at_work
    @torch.inference_mode()
    def flags(self, texts: Sequence[str]) -> list[str]:
        """Return the likeliest unsafe label of each flagged text, and nothing for the others."""
        parts = Passes(self.batch_size).run(len(texts), lambda part: self._batch(texts[part]))
        return [flag for part in parts for flag in part]

    def _batch(self, texts: Sequence[str]) -> list[str]:
        tokens = self.tokenizer(list(texts), padding=True, truncation=True, return_tensors="pt")
        device = device_of(self.model)
        logits = self.model(**{name: value.to(device) for name, value in tokens.items()}).logits.float().cpu()
        probabilities, found = self._unsafe(logits)
        labels = [str(self.model.config.id2label[self.unsafe[int(place)]]) for place in probabilities.argmax(-1)]
        return [label if value >= self.threshold else "" for label, value in zip(labels, found.tolist(), strict=True)]

    def _unsafe(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Return the probabilities ``(B, U)`` of the unsafe labels, and what counts of them ``(B,)``."""
        unsafe = list(self.unsafe)
        if self.model.config.problem_type == "multi_label_classification":
            several = logits.sigmoid()[:, unsafe]
            return several, several.amax(-1)
        one = logits.softmax(-1)[:, unsafe]
        return one, one.sum(-1)


def load_text_classifier(reference: ModelReference, runtime: Runtime) -> TextClassifier:
    """Load a classifier as the moderator.

    Raises:
        MissingModelError: the model is not on this machine and cannot be fetched.
        BadInputError: an option is wrong, or none of the labels is known to be safe.
    """
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    safe, threshold = _options(reference)
    with opening(reference, "a classifier of texts") as options:
        model = load_whole(
            AutoModelForSequenceClassification, reference, dtype=runtime.dtype, use_safetensors=True, **options
        )
        tokenizer = AutoTokenizer.from_pretrained(reference.location, **options)
    check_tokenizer(tokenizer, reference)
    labels = {int(number): str(label) for number, label in model.config.id2label.items()}
    unsafe = tuple(number for number, label in labels.items() if label.casefold() not in safe)
    has_one = model.config.problem_type != "multi_label_classification"
    if not unsafe or (has_one and len(unsafe) == len(labels)):
        told = ", ".join(labels.values())
        raise BadInputError(
            f"role {reference.role!r}: {reference.location}: tell which of its labels ({told}) are for texts without "
            "fault: options = { safe_labels = [...] }"
        )
    batch_size = reference.max_pictures_per_pass or BATCH_SIZE
    return TextClassifier(
        str(reference), place(model.eval(), runtime), tokenizer, runtime, unsafe, threshold, batch_size
    )


def _options(reference: ModelReference) -> tuple[set[str], float]:
    """Return the safe labels, in small letters, and the threshold."""
    options = dict(reference.options)
    safe, threshold = options.pop("safe_labels", list(SAFE_LABELS)), options.pop("threshold", THRESHOLD)
    if options:
        raise BadInputError(
            f"role {reference.role!r}: unknown option {next(iter(options))!r}; there are safe_labels, threshold"
        )
    if not isinstance(safe, list) or not all(isinstance(label, str) for label in safe):
        raise BadInputError(f"role {reference.role!r}: safe_labels is {safe!r}; it must be a list of labels")
    if isinstance(threshold, bool) or not isinstance(threshold, (int, float)) or not 0 < threshold <= 1:
        raise BadInputError(f"role {reference.role!r}: threshold is {threshold!r}; it must be above 0 and at most 1")
    return {label.casefold() for label in safe}, float(threshold)
