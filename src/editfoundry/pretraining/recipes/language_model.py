"""The role ``language_model``: a tiny Llama that writes tinyworld's quadruples (EditWorld, text branch, step 1).

It learns from the very chats that the quadruple writer asks with the exemplars ``tinyworld``, and answers with the
rules of the training split, or with null where none of the asked category applies; and from those that the video branch
asks with the storyline prompts ``tinyworld``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from editfoundry.pretraining.chat_tokens import (
    AFTER_CAPTION,
    BEFORE_CAPTION,
    IGNORED,
    build_chat_tokenizer,
    encode_chats,
)
from editfoundry.pretraining.model_trainee import PretrainingConfig, PretrainingResult, fit
from editfoundry.pretraining.quadruple_chats import ChatSampler
from editfoundry.pretraining.storyline_chats import TASKS
from editfoundry.synthesis.quadruples.exemplars import load_exemplars
from editfoundry.tinyworld.scene_sampling import random_stream

HIDDEN_SIZE = 128
CONTEXT_LENGTH = 512
FIRST_WEIGHT = 4.0
"""Weight in the loss of the token that begins an answer, which decides between null and a quadruple."""
CAPTION_WEIGHT = 4.0
"""Weight of an output caption's tokens: one that is copied wrongly makes the whole quadruple untrue."""
SHARES = {"from_caption": 0.34, "free": 0.12, "verify": 0.2, "storyline": 0.34}
"""Of the chats in a batch."""
CONFIG = PretrainingConfig(num_steps=3000, batch_size=24, learning_rate=2e-3, weight_decay=0.05, ema_decay=0.995)
ON_GPU = {"batch_size": 48, "mixed_precision": "bf16"}


def train_language_model(
    work_dir: Path,
    device: torch.device,
    config: PretrainingConfig = CONFIG,
    shipped: Path | None = None,
) -> tuple[LlamaForCausalLM, PreTrainedTokenizerFast, PretrainingResult]:
    """Train on chats that are drawn on the fly from the training split; ``shipped`` is a model to start from."""
    sampler = ChatSampler(load_exemplars("tinyworld"))
    tokenizer = build_chat_tokenizer(sampler.exemplars)
    torch.manual_seed(config.seed)
    model = build_language_model(tokenizer)
    if shipped is not None:
        take_over(model, tokenizer, shipped)
    model.to(device)

    def step_loss(llama: nn.Module, generator: torch.Generator) -> Tensor:
        seed = int(torch.randint(2**62, (), generator=generator))
        total, weight = torch.zeros((), device=device), torch.zeros((), device=device)
        for task, sample in TASKS.items():
            random = random_stream("quadruple chats", task, seed)
            chats = [sample(sampler, random) for _ in range(max(1, round(SHARES[task] * config.batch_size)))]
            ids, labels = encode_chats(tokenizer, chats)
            losses, weights = answer_losses(llama, ids.to(device), labels.to(device), inside_captions(tokenizer, ids))
            total, weight = total + (losses * weights).sum(), weight + weights.sum()
        return total / weight

    result = fit(model, step_loss, config, work_dir / "language_model")
    return model, tokenizer, result


def build_language_model(tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """Return an untrained Llama of the embedded size, embeddings tied."""
    model: Any = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=HIDDEN_SIZE,
            intermediate_size=384,
            num_hidden_layers=4,
            num_attention_heads=4,
            num_key_value_heads=4,
            max_position_embeddings=CONTEXT_LENGTH,
            tie_word_embeddings=True,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    # From Llama's own 0.02, words that only ever stand in one place ("at sunset", "at night") become one and the same
    # vector before anything tells them apart, and are never copied rightly.
    nn.init.normal_(model.model.embed_tokens.weight, std=HIDDEN_SIZE**-0.5)
    return model


def take_over(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, shipped: Path) -> None:
    """Give ``model`` the weights of a shipped one of the same size, whose tokenizer may lack some of its tokens."""
    old: Any = LlamaForCausalLM.from_pretrained(shipped, dtype=torch.float32)
    old_ids = PreTrainedTokenizerFast.from_pretrained(shipped).get_vocab()
    weights = old.state_dict()
    rows: Tensor = model.get_input_embeddings().weight.detach().clone()
    for token, number in tokenizer.get_vocab().items():
        if token in old_ids:
            rows[number] = weights["model.embed_tokens.weight"][old_ids[token]]
    model.load_state_dict({**weights, "model.embed_tokens.weight": rows, "lm_head.weight": rows})


def inside_captions(tokenizer: PreTrainedTokenizerFast, ids: Tensor) -> Tensor:
    """Return which of the tokens ``(B, L)`` belong to an output caption."""
    before, after = tokenizer.convert_tokens_to_ids([BEFORE_CAPTION, AFTER_CAPTION])
    return (ids == before).cumsum(1) > (ids == after).cumsum(1)


def answer_losses(model: Any, ids: Tensor, labels: Tensor, in_caption: Tensor) -> tuple[Tensor, Tensor]:
    """Return the cross-entropy of every token of every answer, and the weight of each, both ``(N,)``.

    ``ids``, ``labels`` and ``in_caption``, which marks the tokens of output captions, are ``(B, L)``, padded on the
    right; so causal attention alone hides the padding.
    """
    places = labels[:, 1:] != IGNORED
    begins = places & (labels[:, :-1] == IGNORED)
    hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state
    logits = model.lm_head(hidden[:, :-1][places])
    losses = nn.functional.cross_entropy(logits, labels[:, 1:][places], reduction="none")
    weights = torch.where(in_caption[:, 1:].to(ids.device), CAPTION_WEIGHT, 1.0)
    return losses, torch.where(begins, FIRST_WEIGHT, weights)[places]
