"""A language model of transformers' causal classes, on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from editfoundry.errors import BadInputError
from editfoundry.pretrained.adapters import adapter_base, load_adapted
from editfoundry.pretrained.chat import Chat, ChatAnswer, Message, OnAnswer, Request, Sampling
from editfoundry.pretrained.opening import load_whole, opening
from editfoundry.pretrained.passes import PASS_SIZES, Passes
from editfoundry.pretrained.placement import place, with_model_at_work
from editfoundry.pretrained.prefix_cache import Prefix, PrefixCache, num_shared
from editfoundry.pretrained.runtime import Runtime
from editfoundry.pretrained.token_sampling import Prompt, sample_tokens
from editfoundry.pretrained.tokenizer_check import check_tokenizer
from editfoundry.profiles import ModelReference

BATCH_SIZE = PASS_SIZES["language_model"]
MIN_PREFIX = 8
"""Shorter shared beginnings are not worth a pass of their own."""
MIN_GROUP = 4
"""Fewer chats of one beginning are answered together with others: later turns of a conversation are all different."""
TURN_MARK = "### "
"""Begins a turn where a tokenizer has no chat template, and so ends the answer."""


@dataclass(frozen=True)
class CausalLM:
    """A causal language model with its tokenizer."""

    name: str
    """Model @ revision, as provenance records it."""
    model: Any
    tokenizer: Any
    runtime: Runtime
    prefixes: PrefixCache
    batch_size: int = BATCH_SIZE
    reuse_prefixes: bool = True
    """Compute the few-shot turns that chats share once, and not for every chat."""

    @with_model_at_work
    def answer(
        self, requests: Sequence[Request], sampling: Sampling, on_answer: OnAnswer | None = None
    ) -> list[ChatAnswer]:
        """Answer every request, in order; each by its own seed, whatever it shares a batch with."""
        answers: list[ChatAnswer] = [ChatAnswer()] * len(requests)
        for group in _by_beginning(requests):

            def answer(part: slice, group: list[int] = group) -> None:
                batch = group[part]
                for index, made in zip(batch, self._batch([requests[i] for i in batch], sampling), strict=True):
                    answers[index] = made
                    if on_answer is not None:
                        on_answer(index, made)

            Passes(self.batch_size).run(len(group), answer)
        if self.runtime.offload:
            # They lie on the device, which others have now.
            self.prefixes.forget()
        return answers

    @torch.inference_mode()
    def _batch(self, requests: Sequence[Request], sampling: Sampling) -> list[ChatAnswer]:
        prompts = [chat_tokens(self.tokenizer, request.chat) for request in requests]
        prefix = self._prefix(requests[0].chat, prompts)
        room = self._context_length() - max(map(len, prompts))
        if room < 1:
            return [
                self._too_long(prompt, request, sampling) for prompt, request in zip(prompts, requests, strict=True)
            ]
        made = sample_tokens(
            self.model,
            [Prompt(tokens[prefix.length :], request.seed) for tokens, request in zip(prompts, requests, strict=True)],
            sampling,
            prefix=prefix,
            max_tokens=min(sampling.max_tokens, room),
            end_tokens=self._end_tokens(),
            is_complete=lambda ids: self._holds_stop(ids, sampling),
        )
        return [
            ChatAnswer(
                text=sampling.before_stop(self._text(tokens.ids)),
                prompt_tokens=len(prompt),
                completion_tokens=tokens.num_sampled,
                finish_reason="stop" if tokens.ended else "length",
            )
            for prompt, tokens in zip(prompts, made, strict=True)
        ]

    def _too_long(self, prompt: list[int], request: Request, sampling: Sampling) -> ChatAnswer:
        """Answer alone what shares a batch with a chat that is too long, unless it is that chat."""
        length = self._context_length()
        if len(prompt) < length:
            return self._batch([request], sampling)[0]
        text = f"the chat has {len(prompt)} tokens, and the model takes {length}"
        return ChatAnswer(text=text, prompt_tokens=len(prompt), finish_reason="refused")

    def _prefix(self, chat: Chat, prompts: Sequence[list[int]]) -> Prefix:
        """Return the computed beginning that all prompts share: everything before the last question."""
        if not self.reuse_prefixes:
            return Prefix()
        without_question = chat_tokens(self.tokenizer, (*chat[:-1], Message(chat[-1].role, "")))
        shared = num_shared([without_question, *prompts])
        # Of every prompt at least one token is left to be continued.
        shared = min([shared, *(len(prompt) - 1 for prompt in prompts)])
        return self.prefixes.of(self.model, prompts[0][:shared]) if shared >= MIN_PREFIX else Prefix()

    def _text(self, ids: list[int]) -> str:
        text = str(self.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False))
        return text if self.tokenizer.chat_template else text.split("\n" + TURN_MARK)[0]

    def _holds_stop(self, ids: list[int], sampling: Sampling) -> bool:
        """Return whether the last tokens hold a text that ends the answer; no token is shorter than a byte."""
        if not sampling.stop:
            return False
        longest = max(len(end.encode()) for end in sampling.stop)
        text = str(self.tokenizer.decode(ids[-longest - 1 :], skip_special_tokens=True))
        return any(end in text for end in sampling.stop)

    def _end_tokens(self) -> set[int]:
        given = self.model.generation_config.eos_token_id
        listed = given if isinstance(given, list) else [given]
        return {int(token) for token in [*listed, self.tokenizer.eos_token_id] if token is not None}

    def _context_length(self) -> int:
        return context_length(self.model)


def chat_tokens(tokenizer: Any, chat: Chat) -> list[int]:
    """Return the tokens that a chat is to a model, up to where its answer begins."""
    messages = [{"role": message.role, "content": message.content} for message in chat]
    if not tokenizer.chat_template:
        return list(tokenizer(_plain_chat(chat))["input_ids"])
    # Models that think aloud are asked not to; other templates ignore the switch.
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True, enable_thinking=False)
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def context_length(model: Any) -> int:
    """Return how many tokens a model takes."""
    return int(getattr(model.config.get_text_config(), "max_position_embeddings", 4096))


def load_causal_lm(reference: ModelReference, runtime: Runtime) -> CausalLM:
    """Load a causal language model; options of the profile: ``batch_size``.

    Raises:
        MissingModelError: the model is not on this machine and cannot be fetched.
        BadInputError: an unknown option, or a folder that holds something which cannot be loaded.
    """
    batch_size = _batch_size(reference)
    model, tokenizer = open_causal_lm(reference, runtime.dtype)
    own = runtime.of(reference)
    return CausalLM(str(reference), place(model.eval(), own), tokenizer, own, PrefixCache(), batch_size)


def open_causal_lm(reference: ModelReference, dtype: torch.dtype) -> tuple[Any, Any]:
    """Return a model and its tokenizer, on the CPU; an adapter's folder gives its base with the adapter merged into it.

    Raises:
        MissingModelError: the model is not on this machine and cannot be fetched.
        BadInputError: a folder holds something which cannot be loaded.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    base = adapter_base(reference)
    with opening(reference, "a language model") as options:
        if base is not None:
            return load_adapted(reference, base, dtype)
        model = load_whole(AutoModelForCausalLM, reference, dtype=dtype, use_safetensors=True, **options)
        tokenizer = AutoTokenizer.from_pretrained(reference.location, **options)
    check_tokenizer(tokenizer, reference)
    return model, tokenizer


def _batch_size(reference: ModelReference) -> int:
    unknown = sorted(set(reference.options) - {"batch_size"})
    if unknown:
        raise BadInputError(f"role {reference.role!r}: a local model has no option {unknown[0]!r}; there is batch_size")
    batch_size = reference.options.get("batch_size", reference.max_pictures_per_pass or BATCH_SIZE)
    if type(batch_size) is not int or batch_size < 1:
        raise BadInputError(f"role {reference.role!r}: batch_size is {batch_size!r}; it must be at least 1")
    return batch_size


def _by_beginning(requests: Sequence[Request]) -> list[list[int]]:
    """Group the places of requests that share every turn but the last; the last group is of all that are too few."""
    groups: dict[Chat, list[int]] = {}
    for index, request in enumerate(requests):
        groups.setdefault(request.chat[:-1], []).append(index)
    large = [group for group in groups.values() if len(group) >= MIN_GROUP]
    return [*large, [index for group in groups.values() if len(group) < MIN_GROUP for index in group]]


def _plain_chat(chat: Chat) -> str:
    turns = [f"{TURN_MARK}{message.role.capitalize()}\n{message.content}\n\n" for message in chat]
    return "".join(turns) + f"{TURN_MARK}Assistant\n"
