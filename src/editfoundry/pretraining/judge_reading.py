"""Teaches the embedded judge to compare what it is told with what it saw, before it sees anything.

Whether two captions of a prompt agree is what most of a judgement hangs on, and needs no picture, nor the 64 tokens
that each picture costs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from editfoundry.judging.judge_prompts import QUESTIONS, Question, question_text
from editfoundry.pretraining.judge_text import Example, answer_losses, encode_example, padded_batch
from editfoundry.pretraining.judged_pairs import JudgedPair
from editfoundry.pretraining.model_trainee import PretrainingConfig

READING = PretrainingConfig(num_steps=1000, batch_size=64, learning_rate=1.5e-3, weight_decay=0.05, ema_decay=0.99)
_QUESTIONS = tuple(question for question in QUESTIONS if question.tells_texts)


@dataclass(frozen=True)
class ReadingLesson:
    """Pairs, told in captions alone; calling it gives a step's loss, as `model_trainee.fit` wants it."""

    tokenizer: PreTrainedTokenizerFast
    pairs: list[JudgedPair]
    batch_size: int
    word_weight: float
    """Of each token of a reason, where the number has 1."""

    def __call__(self, model: Any, generator: torch.Generator) -> Tensor:
        """Return the cross-entropy of the answers to questions about pairs that are described rightly."""
        chosen = torch.randint(len(self.pairs), (self.batch_size,), generator=generator).tolist()
        questions = torch.randint(len(_QUESTIONS), (self.batch_size,), generator=generator).tolist()
        examples = [self._example(self.pairs[i], _QUESTIONS[q]) for i, q in zip(chosen, questions, strict=True)]
        padded = padded_batch(examples, int(self.tokenizer.pad_token_id))
        ids, mask, labels = (tensor.to(model.device) for tensor in padded)
        logits = model(input_ids=ids, attention_mask=mask, use_cache=False).logits
        return answer_losses(logits, labels, self.word_weight)

    def _example(self, pair: JudgedPair, question: Question) -> Example:
        before, after = pair.edit.before.caption, pair.edit.after.caption
        seen = (before, pair.output.caption)
        prompt = question_text(question, before, pair.edit.instruction, after, seen)
        return encode_example(self.tokenizer, prompt, pair.answer(question.name), 0)
