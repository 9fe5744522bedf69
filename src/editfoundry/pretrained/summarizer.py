"""The role ``summarizer``: makes a long description of a picture short (MGIE, section 3.1)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import torch

from editfoundry.pretrained.opening import load_whole, opening
from editfoundry.pretrained.passes import PASS_SIZES, Passes
from editfoundry.pretrained.placement import place, with_model_at_work
from editfoundry.pretrained.runtime import Runtime
from editfoundry.pretrained.tokenizer_check import check_tokenizer
from editfoundry.profiles import Profile

NUM_SENTENCES = 2
"""Of a description that are summarised; what follows wanders off."""
NUM_WORDS = 32
"""That a summary is asked to have."""
PROMPT = "summarize the following paragraph in {words} words:\n\n{text}"
NUM_BEAMS = 5
MIN_TOKENS, MAX_TOKENS = 5, 64
"""Of a summary."""
NO_REPEAT_NGRAM_SIZE = 3
MAX_PROMPT_TOKENS = 512
"""Of a question; the rest of a description is cut off."""


@dataclass(frozen=True)
class Summarizer:
    """A T5 that writes, with its tokenizer."""

    name: str
    """Model @ revision, as provenance records it."""
    model: Any
    tokenizer: Any
    runtime: Runtime
    batch_size: int = PASS_SIZES["summarizer"]
    """Descriptions that go through the model together."""

    @with_model_at_work
    @torch.inference_mode()
    def summarize(self, texts: Sequence[str]) -> list[str]:
        """Return each description's first two sentences in about 32 words; empty for an empty one.

        Five beams, 5 to 64 tokens, no run of three tokens twice, as MGIE's release has it.
        """
        first = [first_sentences(text) for text in texts]
        told = list(dict.fromkeys(filter(None, first)))
        parts = Passes(self.batch_size).run(len(told), lambda part: self._written(told[part])) if told else []
        written = dict(zip(told, chain.from_iterable(parts), strict=True))
        return [written.get(text, "") for text in first]

    def _written(self, texts: Sequence[str]) -> list[str]:
        questions = [PROMPT.format(words=NUM_WORDS, text=text) for text in texts]
        tokens = self.tokenizer(
            questions, padding=True, truncation=True, max_length=MAX_PROMPT_TOKENS, return_tensors="pt"
        )
        written = self.model.generate(
            **{name: tokens[name].to(self.runtime.device) for name in ("input_ids", "attention_mask")},
            num_beams=NUM_BEAMS,
            do_sample=False,
            min_new_tokens=MIN_TOKENS,
            max_new_tokens=MAX_TOKENS,
            no_repeat_ngram_size=NO_REPEAT_NGRAM_SIZE,
        )
        return [text.strip() for text in self.tokenizer.batch_decode(written, skip_special_tokens=True)]


def first_sentences(text: str, count: int = NUM_SENTENCES) -> str:
    """Return the first sentences of a text, on one line: those that end in ``.``, ``!`` or ``?`` before a space."""
    sentences = re.split(r"(?<=[.!?])\s+", " ".join(text.split()))
    return " ".join(sentences[:count])


def load_summarizer(profile: Profile, runtime: Runtime) -> Summarizer:
    """Load the profile's summarizer, a T5.

    Raises:
        MissingModelError: the model is not on this machine and cannot be fetched.
        BadInputError: its folder holds something that cannot be loaded.
    """
    from transformers import AutoTokenizer, T5ForConditionalGeneration

    reference = profile.model("summarizer")
    with opening(reference, "a T5 that writes") as options:
        model: Any = load_whole(T5ForConditionalGeneration, reference, dtype=runtime.dtype, **options)
        tokenizer: Any = AutoTokenizer.from_pretrained(reference.location, **options)
    check_tokenizer(tokenizer, reference)
    own, batch_size = runtime.of(reference), reference.max_pictures_per_pass or PASS_SIZES["summarizer"]
    return Summarizer(str(reference), place(model.eval(), own), tokenizer, own, batch_size)
