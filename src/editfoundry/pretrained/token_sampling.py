"""Draws tokens for a batch of prompts, each from a random stream of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from editfoundry.pretrained.chat import Sampling
from editfoundry.pretrained.placement import device_of
from editfoundry.pretrained.prefix_cache import Prefix


@dataclass(frozen=True)
class Prompt:
    """What to continue."""

    ids: list[int]
    """Tokens after the shared beginning; at least one."""
    seed: int


@dataclass
class Continuation:
    """What was drawn."""

    ids: list[int]
    """Without the end token, where one was drawn."""
    num_sampled: int = 0
    """Tokens drawn, an end token included."""
    ended: bool = False
    """False where the limit was reached first."""

    def add(self, token: int, is_end: bool) -> None:
        """Take a token that was drawn."""
        self.num_sampled += 1
        self.ended = is_end
        if not is_end:
            self.ids.append(token)


def sample_tokens(
    model: Any,
    prompts: Sequence[Prompt],
    sampling: Sampling,
    *,
    prefix: Prefix,
    max_tokens: int,
    end_tokens: set[int],
    is_complete: Callable[[list[int]], bool] = lambda ids: False,
) -> list[Continuation]:
    """Continue every prompt until it draws one of ``end_tokens``, ``is_complete``, or has ``max_tokens``.

    ``generate`` draws for all rows from one generator, so that an answer would depend on its batch-mates; here each
    row has its own, and finished rows leave the batch. Rows are padded on the left, after the shared beginning.
    """
    made = [Continuation([]) for _ in prompts]
    draws = torch.stack([_uniform(prompt.seed, max_tokens) for prompt in prompts])
    batch = _Batch.of(prompts, prefix, device_of(model))
    rows = list(range(len(prompts)))
    counts: Tensor | None = None
    for step in range(max_tokens):
        logits = batch.forward(model)
        if sampling.frequency_penalty:
            # (num_prompts, V): how often each token was drawn; those of a prompt do not count.
            counts = logits.new_zeros(len(prompts), logits.shape[-1]) if counts is None else counts
            logits = logits - sampling.frequency_penalty * counts[rows]
        tokens = pick_tokens(logits, draws[rows, step], sampling).tolist()
        if counts is not None:
            counts[rows, tokens] += 1
        for row, token in zip(rows, tokens, strict=True):
            made[row].add(token, token in end_tokens)
            made[row].ended |= is_complete(made[row].ids)
        kept = [place for place, row in enumerate(rows) if not made[row].ended]
        rows = [rows[place] for place in kept]
        if not rows:
            break
        batch.append([tokens[place] for place in kept], kept)
    return made


def pick_tokens(logits: Tensor, draws: Tensor, sampling: Sampling) -> Tensor:
    """Pick a token for each row: the one at which the cumulated probability passes the row's draw.

    Args:
        logits: ``(B, V)``.
        draws: ``(B,)`` float64 in [0, 1).
        sampling: temperature and top_p; at temperature 0 the likeliest token is taken.

    Returns:
        ``(B,)`` int64 on the CPU.
    """
    if sampling.temperature == 0:
        return logits.argmax(-1).cpu()
    probabilities = (logits.double() / sampling.temperature).softmax(-1)
    if sampling.top_p < 1:
        probabilities = probabilities * _nucleus(probabilities, sampling.top_p)
    # In the vocabulary's order: sorted by probability, rounding would swap tokens that are equally likely.
    cumulated = probabilities.cumsum(-1)
    targets = draws.to(cumulated.device)[:, None] * cumulated[:, -1:]
    return torch.searchsorted(cumulated, targets, right=True).squeeze(-1).clamp(max=logits.shape[-1] - 1).cpu()


def _nucleus(probabilities: Tensor, top_p: float) -> Tensor:
    """Mark the fewest likeliest tokens that have ``top_p`` together, ``(B, V)`` bool."""
    ordered = probabilities.sort(-1, descending=True).values
    before = ordered.cumsum(-1) - ordered
    smallest = ordered.masked_fill(before >= top_p, torch.inf).amin(-1, keepdim=True)
    return probabilities >= smallest


def _uniform(seed: int, count: int) -> Tensor:
    return torch.rand(count, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@dataclass
class _Batch:
    """The rows that are still going on, and their keys and values."""

    input_ids: Tensor
    position_ids: Tensor
    attention_mask: Tensor
    cache: Any

    @classmethod
    def of(cls, prompts: Sequence[Prompt], prefix: Prefix, device: torch.device) -> _Batch:
        width = max(len(prompt.ids) for prompt in prompts)
        num_pads = torch.tensor([width - len(prompt.ids) for prompt in prompts])
        places = torch.arange(width)[None] - num_pads[:, None]
        own = (places >= 0).long()
        # What stands at a pad does not matter: it is never attended to.
        ids = torch.tensor([[0] * (width - len(p.ids)) + p.ids for p in prompts])
        mask = torch.cat([torch.ones(len(prompts), prefix.length, dtype=torch.long), own], dim=1)
        positions = places.clamp(min=0) + prefix.length
        return cls(ids.to(device), positions.to(device), mask.to(device), prefix.repeated(len(prompts)))

    def forward(self, model: Any) -> Tensor:
        """Return the next token's logits, ``(B, V)`` float32."""
        output = model(
            input_ids=self.input_ids,
            attention_mask=self.attention_mask,
            position_ids=self.position_ids,
            past_key_values=self.cache,
            use_cache=True,
            logits_to_keep=1,
        )
        self.cache = output.past_key_values
        return output.logits[:, -1].float()

    def append(self, tokens: list[int], kept: list[int]) -> None:
        """Go on with the rows ``kept`` and one new token each."""
        if len(kept) < len(self.input_ids):
            chosen = torch.tensor(kept, device=self.input_ids.device)
            self.cache.batch_select_indices(chosen)
            self.attention_mask = self.attention_mask[chosen]
            self.position_ids = self.position_ids[chosen]
        self.input_ids = torch.tensor(tokens, device=self.position_ids.device)[:, None]
        self.position_ids = self.position_ids[:, -1:] + 1
        self.attention_mask = torch.nn.functional.pad(self.attention_mask, (0, 1), value=1)
