"""Which token of the input caption gives its attention to which token of the output caption (Hertz et al., 3.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

if TYPE_CHECKING:
    from transformers import CLIPTokenizer

Control = Literal["auto", "replace", "refine"]
_END_OF_WORD = "</w>"


@dataclass(frozen=True)
class Alignment:
    """How ``B`` pairs of captions share cross-attention."""

    mapper: Tensor
    """``(B, L, L)``: the share of source token ``s`` (row) in the map of target token ``t`` (column)."""
    shared: Tensor
    """``(B, L)``: 1 where the target token takes the source's map, 0 where it keeps its own."""
    weights: Tensor
    """``(B, L)``: what each target token's map is multiplied by (attention re-weighting); 1 changes nothing."""

    def __getitem__(self, rows: Sequence[int]) -> Alignment:
        """Return the alignment of these pairs, which may repeat."""
        return Alignment(self.mapper[rows], self.shared[rows], self.weights[rows])

    def to(self, device: torch.device) -> Alignment:
        """Return it on ``device``."""
        return Alignment(self.mapper.to(device), self.shared.to(device), self.weights.to(device))


def align(
    tokenizer: CLIPTokenizer,
    sources: Sequence[str],
    targets: Sequence[str],
    control: Control = "auto",
    new_word_weight: float = 1.0,
) -> Alignment:
    """Align pairs of captions.

    ``replace`` (word swap) gives every word of the target the map of the source's word at its place, and needs as many
    words in both; ``refine`` gives the tokens that both share the source's map and leaves new ones their own.

    Args:
        tokenizer: of the text encoder.
        sources: ``B`` captions of the pictures as they are.
        targets: as many of what they must become.
        control: ``auto`` replaces where both captions have the same number of words, and refines elsewhere.
        new_word_weight: weight of the maps of tokens that the source has not.
    """
    rows = [_row(tokenizer, *pair, control, new_word_weight) for pair in zip(sources, targets, strict=True)]
    mappers, shared, weights = zip(*rows, strict=True)
    return Alignment(torch.stack(mappers), torch.stack(shared), torch.stack(weights))


def _row(
    tokenizer: CLIPTokenizer, source: str, target: str, control: Control, new_word_weight: float
) -> tuple[Tensor, Tensor, Tensor]:
    before, after = (_tokens(tokenizer, text) for text in (source, target))
    words_before, words_after = _words(before), _words(after)
    same_count = len(words_before) == len(words_after)
    kept = _matches(before, after)
    length = tokenizer.model_max_length
    if control == "replace" or (control == "auto" and same_count):
        mapper, shared = _replacement(words_before, words_after, length), torch.ones(length)
    else:
        mapper, shared = torch.zeros(length, length), torch.zeros(length)
        for target_place, source_place in kept.items():
            mapper[source_place, target_place] = shared[target_place] = 1
    _map_padding(mapper, shared, len(before), len(after), length)
    weights = torch.ones(length)
    new = [place for place in range(1, len(after) - 1) if place not in kept]
    weights[new] = new_word_weight
    return mapper, shared, weights


def _tokens(tokenizer: CLIPTokenizer, text: str) -> list[str]:
    """Return the tokens between and with the marks of start and end."""
    ids = tokenizer(text, truncation=True, max_length=tokenizer.model_max_length)["input_ids"]
    tokens: list[str] = tokenizer.convert_ids_to_tokens(ids)
    return tokens


def _words(tokens: Sequence[str]) -> list[list[int]]:
    """Return the places of each word's tokens; start and end are words of their own."""
    words: list[list[int]] = [[0]]
    begins = True
    for place, token in enumerate(tokens[1:-1], start=1):
        if begins:
            words.append([])
        words[-1].append(place)
        begins = token.endswith(_END_OF_WORD)
    return [*words, [len(tokens) - 1]]


def _matches(before: Sequence[str], after: Sequence[str]) -> dict[int, int]:
    """Return target place -> source place of the tokens that both have, in order."""
    blocks = SequenceMatcher(None, before, after, autojunk=False).get_matching_blocks()
    return {block.b + i: block.a + i for block in blocks for i in range(block.size)}


def _replacement(before: Sequence[list[int]], after: Sequence[list[int]], length: int) -> Tensor:
    mapper = torch.zeros(length, length)
    for source, target in zip(before, after, strict=False):
        if len(source) == len(target):
            mapper[source, target] = 1
        else:
            # A word of other length: its map is shared out among the new word's tokens.
            mapper[torch.tensor(source)[:, None], torch.tensor(target)] = 1 / len(target)
    return mapper


def _map_padding(mapper: Tensor, shared: Tensor, before: int, after: int, length: int) -> None:
    """Give the padding behind the target the map of the padding behind the source."""
    for place in range(after, length):
        mapper[min(before + place - after, length - 1), place] = 1
        shared[place] = 1
