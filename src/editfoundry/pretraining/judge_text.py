"""The tokenizer, the chat and the examples' token ids of the embedded vision-language model.

The judge's prompts are long for a person's language and fixed but for the captions, so the tokenizer knows each of
their sentences by heart, as one token: the same prompts that a large model gets cost this one a handful of tokens.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from torch import Tensor, nn
from transformers import PreTrainedTokenizerFast

from editfoundry.judging.judge_prompts import fixed_texts
from editfoundry.pretraining.judged_pairs import sample_judged_pair
from editfoundry.tinyworld.rules import trained_rules
from editfoundry.tinyworld.scene_sampling import random_stream, sample_scene

START, END, PAD, IMAGE, ANSWER = "<s>", "</s>", "<pad>", "<image>", "<answer>"
CHAT_TEMPLATE = (
    "{{ '<s>' }}{% for message in messages %}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>' }}{% endfor %}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}"
    "{% if message['role'] == 'assistant' %}{{ '<answer>' + content['text'] + '</s>' }}"
    "{% else %}{{ content['text'] }}{% endif %}{% endfor %}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<answer>' }}{% endif %}"
)
VOCABULARY_SIZE = 1100
IGNORED = -100
Example = tuple[list[int], int]
"""Token ids of a chat, and where its answer begins."""
_NUM_CAPTIONS = 2000
_NUM_PAIRS = 200


def build_judge_tokenizer() -> PreTrainedTokenizerFast:
    """Learn a byte-level BPE from captions, wordings and reasons; equal runs learn equal tokens."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = [START, END, PAD, IMAGE, ANSWER]
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY_SIZE,
        special_tokens=special,
        show_progress=False,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
    )
    tokenizer.train_from_iterator(_corpus(), trainer)
    # Matched before lower-casing; a sentence of a later prompt version falls apart into words.
    tokenizer.add_tokens([AddedToken(text, normalized=False) for text in fixed_texts()])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=START,
        eos_token=END,
        pad_token=PAD,
        additional_special_tokens=[IMAGE, ANSWER],
    )


def encode_example(tokenizer: PreTrainedTokenizerFast, prompt: str, answer: str, num_image_tokens: int) -> Example:
    """Return a whole chat's tokens, as ``CHAT_TEMPLATE`` writes it, its pictures standing as so many image tokens."""
    question = START + IMAGE * num_image_tokens + prompt + ANSWER
    before = tokenizer(question, add_special_tokens=False)["input_ids"]
    return before + tokenizer(answer + END, add_special_tokens=False)["input_ids"], len(before)


def padded_batch(examples: Sequence[Example], pad: int) -> tuple[Tensor, Tensor, Tensor]:
    """Pad on the right: token ids ``(B, L)``, mask ``(B, L)`` and labels ``(B, L)``, which ignore all but answers."""
    length = max(len(ids) for ids, _ in examples)
    ids = torch.full((len(examples), length), pad)
    labels = torch.full_like(ids, IGNORED)
    mask = torch.zeros_like(ids)
    for row, (tokens, start) in enumerate(examples):
        ids[row, : len(tokens)] = torch.tensor(tokens)
        labels[row, start : len(tokens)] = ids[row, start : len(tokens)]
        mask[row, : len(tokens)] = 1
    return ids, mask, labels


def answer_losses(logits: Tensor, labels: Tensor, word_weight: float) -> Tensor:
    """Return the cross-entropy of the answers: of each the first token with weight 1, the others ``word_weight``.

    Args:
        logits: ``(B, L, V)``.
        labels: ``(B, L)``, see `padded_batch`.
        word_weight: of every token of an answer but its first.
    """
    places = labels[:, 1:] != IGNORED
    is_first = places & (labels[:, :-1] == IGNORED)
    weights = torch.where(is_first, 1.0, word_weight)[places]
    losses = nn.functional.cross_entropy(logits[:, :-1][places], labels[:, 1:][places], reduction="none")
    return (losses * weights).sum() / weights.sum()


def _corpus() -> list[str]:
    captions = [" " + sample_scene(random_stream("judge tokenizer", i)).caption for i in range(_NUM_CAPTIONS)]
    wordings = [" " + wording for rule in trained_rules() for wording in rule.wordings] * 20
    pairs = [sample_judged_pair(random_stream("judge tokenizer pairs", i), "train") for i in range(_NUM_PAIRS)]
    return [*captions, *wordings, *(f" {reason}" for pair in pairs for reason in pair.reasons.values())]
