"""The role ``vision_language_model``: answers questions about pictures, as probabilities or in words."""

from __future__ import annotations

from collections.abc import Sequence, Sized
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from editfoundry.errors import BadInputError
from editfoundry.pretrained.answer_tokens import answer_tokens
from editfoundry.pretrained.opening import load_whole, opening
from editfoundry.pretrained.passes import PASS_SIZES, Passes
from editfoundry.pretrained.picture_features import SUPPORTED_TYPES, ImageRow, combined, picture_features
from editfoundry.pretrained.placement import place, with_model_at_work
from editfoundry.pretrained.runtime import Runtime
from editfoundry.pretrained.tokenizer_check import check_tokenizer
from editfoundry.profiles import ModelReference, Profile

_SUPPORTED = " or ".join(SUPPORTED_TYPES)
_SINGLE_IMAGE_TYPES = ("llava",)
"""Model types trained on one picture a prompt; a checkpoint's configuration may say ``multi_image`` otherwise."""


@dataclass(frozen=True, eq=False)
class AnswerWithStates:
    """What a model answered, and its states where it is made to say certain tokens next."""

    text: str
    """Without special tokens and surrounding space."""
    token_ids: list[int]
    """What was said before the tail."""
    stopped_by: Literal["tail", "end", "limit"]
    """Whether the model itself began the tail, ended its answer without it, or came to no end."""
    states: Tensor
    """``(T, D)`` on the device: the last layer's, each at the place from which a token of the tail is predicted."""


@dataclass(frozen=True)
class VisionLanguageModel:
    """A LLaVA with its processor.

    A model for one picture a prompt gets several as one: side by side on a square, first one left, so that it sees
    each at half its size. Whether a checkpoint takes several is told by its type, and by ``multi_image`` of its
    configuration or of the profile's options where that is given.
    """

    name: str
    """Model @ revision, as provenance records it."""
    model: Any
    processor: Any
    runtime: Runtime
    batch_size: int = PASS_SIZES["vision_language_model"]
    """Prompts that go through the model together."""
    multi_image: bool | None = None
    """Whether several pictures of a prompt go in as they are, where the profile says so; see the class."""

    @property
    def takes_several_images(self) -> bool:
        """Whether several pictures of a prompt go in as they are."""
        if self.multi_image is not None:
            return self.multi_image
        config = self.model.config
        return bool(getattr(config, "multi_image", config.model_type not in _SINGLE_IMAGE_TYPES))

    @with_model_at_work
    @torch.inference_mode()
    def answer_probabilities(
        self, images: Sequence[ImageRow], prompts: Sequence[str], choices: Sequence[str]
    ) -> Tensor:
        """Return how probable each choice is as the answer's first word, ``(N, len(choices))`` float32 on the CPU.

        Each row sums to 1: what else the model might say is left out. Pictures that several prompts of a batch share
        (the same objects) go through the vision tower once, so keep the prompts about one picture together.

        Args:
            images: for each prompt its pictures, at least one, RGB, any size.
            prompts: for each what is asked, without the chat's own marks.
            choices: at least two answers that differ in one token each, for example ``("1", "2")``.

        Raises:
            BadInputError: the choices are not told apart by single tokens.
        """
        if not prompts:
            return torch.empty(0, len(choices))
        chats = [self._chat(row, prompt) for row, prompt in zip(images, prompts, strict=True)]
        continuations = [self._continuation(images[0], prompts[0], choice) for choice in choices]
        tokens = answer_tokens(self.processor.tokenizer, chats[0], continuations, self._adds_special_tokens(chats[0]))

        def answer(part: slice) -> Tensor:
            inputs = self._inputs(images[part], chats[part], tokens.shared)
            mask = inputs["attention_mask"]
            positions = (mask.cumsum(-1) - 1).clamp(min=0)
            logits = self.model(**inputs, position_ids=positions, use_cache=False, logits_to_keep=1).logits[:, -1]
            return torch.as_tensor(logits[:, list(tokens.choices)].float().softmax(-1).cpu())

        return torch.cat(Passes(self.batch_size).run(len(chats), answer))

    @with_model_at_work
    @torch.inference_mode()
    def generate(self, images: Sequence[ImageRow], prompts: Sequence[str], max_new_tokens: int = 64) -> list[str]:
        """Return the model's greedy answer to each prompt, without special tokens and surrounding space."""
        chats = [self._chat(row, prompt) for row, prompt in zip(images, prompts, strict=True)]

        def answer(part: slice) -> list[str]:
            tokens = self.model.generate(
                **self._inputs(images[part], chats[part]),
                max_new_tokens=max_new_tokens,
                do_sample=False,
                num_beams=1,
                pad_token_id=self.processor.tokenizer.pad_token_id,
            )
            return list(self.processor.tokenizer.batch_decode(tokens, skip_special_tokens=True))

        return [text.strip() for texts in Passes(self.batch_size).run(len(chats), answer) for text in texts]

    @with_model_at_work
    @torch.no_grad()
    def answer_with_states(
        self,
        images: Sequence[ImageRow],
        prompts: Sequence[str],
        tail: Sequence[int],
        max_new_tokens: int = 96,
        no_repeat_ngram_size: int = 3,
    ) -> list[AnswerWithStates]:
        """Answer each prompt greedily, let ``tail`` follow, and read the states that predict it.

        An answer is what comes before the tail's first token; where the model does not say that token, the tail is
        put behind what it said all the same.

        Args:
            images: for each prompt its pictures; none for a question about words alone.
            prompts: for each what is asked.
            tail: token ids.
            max_new_tokens: of an answer, at most.
            no_repeat_ngram_size: an answer has no run of so many tokens twice; it may have one of the prompt's.
        """
        from transformers import NoRepeatNGramLogitsProcessor

        chats = [self._chat(row, prompt) for row, prompt in zip(images, prompts, strict=True)]
        ends = self._end_tokens()

        def answer(part: slice) -> list[AnswerWithStates]:
            inputs = self._inputs(images[part], chats[part])
            drawn = self.model.generate(
                **inputs,
                max_new_tokens=max_new_tokens,
                do_sample=False,
                num_beams=1,
                logits_processor=[NoRepeatNGramLogitsProcessor(no_repeat_ngram_size)],
                eos_token_id=[*ends, tail[0]],
                pad_token_id=self.processor.tokenizer.pad_token_id,
            ).tolist()
            stops = [next((n for n, t in enumerate(row) if t in (*ends, tail[0])), len(row)) for row in drawn]
            said = [row[:stop] for row, stop in zip(drawn, stops, strict=True)]
            reasons: list[Literal["tail", "end", "limit"]] = [
                "limit" if stop == len(row) else "tail" if row[stop] == tail[0] else "end"
                for row, stop in zip(drawn, stops, strict=True)
            ]
            texts = self.processor.tokenizer.batch_decode(said, skip_special_tokens=True)
            states = self._states_before(inputs, said, tail)
            parts = zip(texts, said, reasons, states, strict=True)
            return [AnswerWithStates(text.strip(), *others) for text, *others in parts]

        return [one for answers in Passes(self.batch_size).run(len(chats), answer) for one in answers]

    def chat_tokens(
        self, num_features: Sequence[Sequence[int]], prompts: Sequence[str], answers: Sequence[str]
    ) -> list[tuple[list[int], list[int]]]:
        """Return the token ids of each chat and those of its answer, as a training on answers reads them.

        Args:
            num_features: for each prompt how many features each of its pictures becomes.
            prompts: for each what is asked.
            answers: for each what is answered; what ends it is left out.
        """
        rows = []
        for counts, prompt, told in zip(num_features, prompts, answers, strict=True):
            shown: Any = counts
            chat, answer = self._chat(shown, prompt), self._plain(told).strip()
            asked = self._expanded(chat, [range(count) for count in counts])
            tokens = self.processor.tokenizer(
                asked + (self._continuation(shown, prompt, answer) if answer else ""),
                return_offsets_mapping=True,
                add_special_tokens=self._adds_special_tokens(asked),
            )
            count = sum(end <= len(asked) for _, end in tokens["offset_mapping"])
            rows.append((tokens["input_ids"][:count], tokens["input_ids"][count:]))
        return rows

    @with_model_at_work
    @torch.inference_mode()
    def log_likelihoods(self, images: Sequence[ImageRow], prompts: Sequence[str], answers: Sequence[str]) -> Tensor:
        """Return how probable whole answers are, with what ends them: ``(N,)`` float32 on the CPU, in nats.

        Args:
            images: for each prompt its pictures, as in `answer_probabilities`.
            prompts: for each what is asked.
            answers: for each what might be answered.
        """
        said = [self._plain(answer).strip() for answer in answers]
        chats = [self._chat(*parts) for parts in zip(images, prompts, said, strict=True)]

        def likelihoods(part: slice) -> Tensor:
            inputs, ids, ends = self._encoded(images[part], chats[part])
            # Counted from the end of the chat: what its pictures become stands before. Of nothing, its end remains.
            begins = [
                (chat.rfind(answer) if answer else len(self._chat(row, prompt))) - len(chat)
                for row, prompt, answer, chat in zip(images[part], prompts[part], said[part], chats[part], strict=True)
            ]
            is_answer = (ends > torch.tensor(begins)[:, None]).to(ids.device)
            count = max(1, int(is_answer.sum(1).max()))
            positions = (inputs["attention_mask"].cumsum(-1) - 1).clamp(min=0)
            logits = self.model(**inputs, position_ids=positions, use_cache=False, logits_to_keep=count + 1).logits
            log_odds = logits[:, :-1].float().log_softmax(-1).gather(-1, ids[:, -count:, None])[..., 0]
            return torch.as_tensor((log_odds * is_answer[:, -count:]).sum(1).cpu())

        found = Passes(self.batch_size).run(len(chats), likelihoods)
        return torch.cat(found) if found else torch.empty(0)

    def _chat(self, row: ImageRow, prompt: str, answer: str | None = None) -> str:
        count = len(row) if self.takes_several_images else min(1, len(row))
        content = [{"type": "image"}] * count + [{"type": "text", "text": self._plain(prompt)}]
        messages: list[dict[str, Any]] = [{"role": "user", "content": content}]
        if answer is not None:
            messages.append({"role": "assistant", "content": [{"type": "text", "text": answer}]})
        text = self.processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=answer is None)
        return str(text)

    def _continuation(self, row: ImageRow, prompt: str, choice: str) -> str:
        """Return a choice as the chat template puts it after the prompt, for example with a space before it."""
        chat, whole = self._chat(row, prompt), self._chat(row, prompt, choice)
        end = whole.find(choice, len(chat))
        return whole[len(chat) : end + len(choice)] if whole.startswith(chat) and end >= 0 else choice

    def _plain(self, prompt: str) -> str:
        """Take out the marks that would open another turn or another picture; captions are data."""
        for mark in (self.processor.image_token, *self.processor.tokenizer.all_special_tokens):
            prompt = prompt.replace(mark, " ") if len(mark) > 1 else prompt
        return prompt

    def _adds_special_tokens(self, chat: str) -> bool:
        start = self.processor.tokenizer.bos_token
        return start is None or not chat.startswith(start)

    def _end_tokens(self) -> tuple[int, ...]:
        told = self.model.generation_config.eos_token_id
        ends = told if isinstance(told, list) else [told]
        return tuple(dict.fromkeys(end for end in (*ends, self.processor.tokenizer.eos_token_id) if end is not None))

    def _states_before(
        self, inputs: dict[str, Tensor], said: Sequence[Sequence[int]], tail: Sequence[int]
    ) -> list[Tensor]:
        """Return ``(T, D)`` states a row, from which the tokens of ``tail`` after what was said are predicted."""
        asked, mask, embed = inputs["inputs_embeds"], inputs["attention_mask"], self.model.get_input_embeddings()
        longest = max(map(len, said))
        embeds, masks = [], []
        for row, ids in enumerate(said):
            # Padded on the left, so that all rows end with the tail.
            padding = longest - len(ids)
            tokens = torch.tensor([*ids, *tail], device=asked.device)
            embeds.append(torch.cat([asked.new_zeros(padding, asked.shape[-1]), asked[row], embed(tokens).to(asked)]))
            masks.append(torch.cat([mask.new_zeros(padding), mask[row], mask.new_ones(len(tokens))]))
        whole = torch.stack(masks)
        positions = (whole.cumsum(-1) - 1).clamp(min=0)
        states = self.model.model(
            inputs_embeds=torch.stack(embeds), attention_mask=whole, position_ids=positions, use_cache=False
        ).last_hidden_state
        return list(states[:, -len(tail) - 1 : -1])

    def _inputs(
        self, images: Sequence[ImageRow], chats: Sequence[str], suffix: tuple[int, ...] = ()
    ) -> dict[str, Tensor]:
        """Return embeddings ``(B, L, D)`` and mask ``(B, L)`` of a batch, padded on the left."""
        return self._encoded(images, chats, suffix)[0]

    def _encoded(
        self, images: Sequence[ImageRow], chats: Sequence[str], suffix: tuple[int, ...] = ()
    ) -> tuple[dict[str, Tensor], Tensor, Tensor]:
        """Return `_inputs`, token ids ``(B, L)``, and where each token ends, ``(B, L)``: 0 at the end of the chat."""
        rows = images if self.takes_several_images else combined(images)
        features = picture_features(self.model, self.processor, rows)
        texts = [self._expanded(chat, row) for chat, row in zip(chats, features, strict=True)]
        tokens = self.processor.tokenizer(
            texts,
            padding=True,
            padding_side="left",
            return_tensors="pt",
            return_offsets_mapping=True,
            add_special_tokens=self._adds_special_tokens(texts[0]),
        )
        tail = torch.tensor(suffix, dtype=torch.int64).expand(len(texts), -1)
        ids = torch.cat([tokens["input_ids"], tail], dim=1).to(self.runtime.device)
        mask = torch.cat([tokens["attention_mask"], torch.ones_like(tail)], dim=1).to(self.runtime.device)
        embeds = self.model.get_input_embeddings()(ids)
        places = (ids == self.model.config.image_token_id)[..., None]
        shown = [feature for row in features for feature in row]
        embeds = embeds.masked_scatter(places, torch.cat(shown).to(embeds)) if shown else embeds
        inputs = {"inputs_embeds": embeds, "attention_mask": mask}
        lengths = torch.tensor([len(text) for text in texts])
        return inputs, ids, tokens["offset_mapping"][..., 1] - lengths[:, None]

    def _expanded(self, chat: str, features: Sequence[Sized]) -> str:
        """Repeat each image token as often as its picture has features."""
        token = self.processor.image_token
        parts = chat.split(token)
        if len(parts) != len(features) + 1:
            raise BadInputError(f"{self.name}: its chat template shows {len(parts) - 1} of {len(features)} pictures")
        return parts[0] + "".join(token * len(f) + text for f, text in zip(features, parts[1:], strict=True))


def load_vision_language_model(profile: Profile, runtime: Runtime) -> VisionLanguageModel:
    """Load the profile's vision-language model; its configuration says which LLaVA class it is.

    Options of the profile: ``multi_image``, see `VisionLanguageModel`.

    Raises:
        MissingModelError: the model is not on this machine and cannot be fetched.
        BadInputError: it is of another kind, cannot be loaded, or has no chat template.
    """
    reference = profile.model("vision_language_model")
    return open_vision_language_model(reference, runtime.of(reference))


def open_vision_language_model(reference: ModelReference, runtime: Runtime) -> VisionLanguageModel:
    """Load a vision-language model that any reference names; see `load_vision_language_model`."""
    from transformers import AutoConfig, AutoModelForImageTextToText, AutoProcessor

    multi_image = _multi_image(reference)
    with opening(reference, "a vision-language model") as options:
        kind = AutoConfig.from_pretrained(reference.location, **options).model_type
        if kind in SUPPORTED_TYPES:
            processor: Any = AutoProcessor.from_pretrained(reference.location, **options)
            model: Any = load_whole(AutoModelForImageTextToText, reference, dtype=runtime.dtype, **options)
    if kind not in SUPPORTED_TYPES:
        raise BadInputError(f"{reference}: is a {kind}; the role vision_language_model takes {_SUPPORTED}")
    check_tokenizer(processor.tokenizer, reference)
    if not processor.chat_template:
        raise BadInputError(f"{reference}: no chat template beside its processor (chat_template.jinja)")
    if processor.tokenizer.pad_token is None:
        processor.tokenizer.pad_token = processor.tokenizer.eos_token
    batch_size = reference.max_pictures_per_pass or PASS_SIZES["vision_language_model"]
    placed = place(model.eval(), runtime)
    return VisionLanguageModel(str(reference), placed, processor, runtime, batch_size, multi_image)


def _multi_image(reference: ModelReference) -> bool | None:
    unknown = sorted(set(reference.options) - {"multi_image"})
    if unknown:
        raise BadInputError(
            f"role {reference.role!r}: a local model has no option {unknown[0]!r}; there is multi_image"
        )
    told = reference.options.get("multi_image")
    if told is not None and not isinstance(told, bool):
        raise BadInputError(f"role {reference.role!r}: multi_image is {told!r}; it must be true or false")
    return told
