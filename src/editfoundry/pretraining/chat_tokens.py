"""The tokenizer, the chat template and the token ids of the embedded language model.

Tinyworld's vocabulary is closed, so every word is one token, with or without a space before it; what stands between
an answer's texts (``", "output_caption": "`` and the like) is one token, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from editfoundry.pretrained.chat import Chat
from editfoundry.synthesis.editworld_video.storyline_prompts import load_storyline_prompts
from editfoundry.synthesis.quadruples.exemplars import ExemplarFile
from editfoundry.synthesis.quadruples.quadruple_prompts import NULL
from editfoundry.tinyworld.backgrounds import PLACES, TIMES, Background, seasons_of
from editfoundry.tinyworld.objects import KINDS
from editfoundry.tinyworld.rules import trained_rules
from editfoundry.tinyworld.scene import SIZES, SceneObject
from editfoundry.tinyworld.storyline_text import NOTHING

UNKNOWN, START, END, PAD = "<unk>", "<s>", "</s>", "<pad>"
ROLES = ("<system>", "<user>", "<assistant>")
CHAT_TEMPLATE = (
    "{{ '<s>' }}{% for message in messages %}{{ '<' + message['role'] + '>' + message['content'] + '</s>' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<assistant>' }}{% endif %}"
)
IGNORED = -100
BEFORE_CAPTION, AFTER_CAPTION = '", "output_caption": "', '", "keywords": ["'
"""Around an answer's output caption."""
_STRUCTURE = (
    '{"instruction": "', '[{"input_caption": "', '{"category": "', '", "input_caption": "', '", "instruction": "',
    BEFORE_CAPTION, AFTER_CAPTION, '", "', '"]}', '"]}]',
)  # fmt: skip


def build_chat_tokenizer(exemplars: ExemplarFile) -> PreTrainedTokenizerFast:
    """Return the tokenizer that knows every word of tinyworld's captions, trained wordings and prompts."""
    splitter = word_splitter()
    words = {piece for text in _corpus(exemplars) for piece, _ in splitter.pre_tokenize_str(text)}
    special = [UNKNOWN, START, END, PAD, *ROLES]
    vocabulary = {token: number for number, token in enumerate([*special, *sorted(words)])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = splitter
    # Words after a quotation mark were given a space, too.
    tokenizer.decoder = decoders.Sequence(
        [decoders.Metaspace(prepend_scheme="always"), decoders.Fuse(), decoders.Replace('" ', '"')]
    )
    tokenizer.add_special_tokens(special)
    tokenizer.add_tokens([AddedToken(text, normalized=False) for text in _STRUCTURE])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token=UNKNOWN,
        bos_token=START,
        eos_token=END,
        pad_token=PAD,
        additional_special_tokens=list(ROLES),
        chat_template=CHAT_TEMPLATE,
    )


def encode_chats(tokenizer: PreTrainedTokenizerFast, chats: Sequence[Chat]) -> tuple[Tensor, Tensor]:
    """Return token ids ``(B, L)``, padded on the right, and labels ``(B, L)``: the answers and the ends of these.

    All else of the labels is ``IGNORED``.
    """
    plain = [[{"role": message.role, "content": message.content} for message in chat] for chat in chats]
    texts: Any = tokenizer.apply_chat_template(plain, tokenize=False)
    encoded = tokenizer(texts, add_special_tokens=False, padding=True, padding_side="right", return_tensors="pt")
    ids: Tensor = encoded["input_ids"]
    labels = ids.clone()
    answer, end = tokenizer.convert_tokens_to_ids([ROLES[2], END])
    inside = torch.zeros(len(ids), dtype=torch.bool)
    for place in range(ids.shape[1]):
        labels[~inside, place] = IGNORED
        inside = (inside | (ids[:, place] == answer)) & (ids[:, place] != end)
    return ids, labels


def word_splitter() -> pre_tokenizers.Sequence:
    """Return what splits a text into words, each with the space before it, and marks."""
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Metaspace(prepend_scheme="always"),
            pre_tokenizers.Split(Regex(r"[.,:;!?]"), "isolated"),
        ]
    )


def caption_texts() -> Iterator[str]:
    """Yield texts that together hold every word of captions."""
    for kind in KINDS.values():
        for state in kind.states:
            for colour in kind.colours:
                for size in SIZES:
                    yield SceneObject(kind=kind.name, state=state, colour=colour, size=size).phrase
    yield "and on the left right"
    for place in PLACES:
        yield from (Background(place, time, season).phrase for time in TIMES for season in seasons_of(place))


def _corpus(exemplars: ExemplarFile) -> Iterator[str]:
    yield from caption_texts()
    for rule in trained_rules():
        yield rule.category
        yield from rule.wordings
    storyline = load_storyline_prompts("tinyworld")
    yield re.sub(r"\$\w+", "", " ".join(storyline.prompts.values()))
    yield f"apple. Then {NOTHING}. none"
    yield from (definition.definition for definition in exemplars.categories.values())
    yield from (re.sub(r"\$\w+", "", template) for template in exemplars.prompts.values())
    yield f"{NULL} 1 2 3 4 5 6 7 8 9"
