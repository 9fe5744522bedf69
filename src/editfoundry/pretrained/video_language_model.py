"""The role ``video_language_model``: says what happens in a clip (EditWorld, video branch: Video-LLaVA)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image

from editfoundry.errors import BadInputError
from editfoundry.pretrained.fitness import KNOWN_TYPES
from editfoundry.pretrained.opening import load_whole, opening
from editfoundry.pretrained.passes import PASS_SIZES, Passes
from editfoundry.pretrained.placement import place, with_model_at_work
from editfoundry.pretrained.runtime import Runtime
from editfoundry.pretrained.tokenizer_check import check_tokenizer
from editfoundry.profiles import Profile

ROLE = "video_language_model"
SUPPORTED_TYPES = KNOWN_TYPES[ROLE]
_NUM_FRAMES = 8
"""LLaVA-NeXT-Video's, whose configuration does not tell."""
_PLAIN_CHAT = "USER: {video}\n{prompt} ASSISTANT:"
"""How Video-LLaVA was asked in training; for checkpoints without a chat template."""

Frames = Sequence[Image.Image]
"""The frames of one clip, RGB, all of one size, in the order of time."""


@dataclass(frozen=True)
class VideoLanguageModel:
    """A video-language model with its processor."""

    name: str
    """Model @ revision, as provenance records it."""
    model: Any
    processor: Any
    runtime: Runtime
    batch_size: int = PASS_SIZES[ROLE]
    """Clips that go through the model together."""

    @property
    def num_frames(self) -> int:
        """How many frames of a clip it was trained on."""
        config = self.model.config
        if config.model_type != "video_llava":
            return _NUM_FRAMES
        # Of every frame it sees one token more than of a picture: its class token.
        return max(2, config.video_seq_length // (config.image_seq_length + 1))

    @with_model_at_work
    @torch.inference_mode()
    def generate(self, clips: Sequence[Frames], prompts: Sequence[str], max_new_tokens: int = 96) -> list[str]:
        """Return the model's greedy answer to each prompt about its clip, without special tokens.

        Args:
            clips: for each prompt the clip's frames, at least one; all clips have equally many.
            prompts: what is asked, without the chat's own marks.
            max_new_tokens: length of an answer.
        """

        def answer(part: slice) -> list[str]:
            inputs = self._inputs(clips[part], prompts[part])
            tokens = self.model.generate(
                **inputs,
                max_new_tokens=max_new_tokens,
                do_sample=False,
                num_beams=1,
                pad_token_id=self.processor.tokenizer.pad_token_id,
            )
            written = tokens[:, inputs["input_ids"].shape[1] :]
            return list(self.processor.tokenizer.batch_decode(written, skip_special_tokens=True))

        answers = [text for texts in Passes(self.batch_size).run(len(clips), answer) for text in texts]
        return [" ".join(answer.split()) for answer in answers]

    def _inputs(self, clips: Sequence[Frames], prompts: Sequence[str]) -> dict[str, Any]:
        videos = [np.stack([np.asarray(frame.convert("RGB")) for frame in frames]) for frames in clips]
        texts = [self._chat(prompt) for prompt in prompts]
        inputs = self.processor(
            text=texts,
            videos=videos,
            padding=True,
            padding_side="left",
            return_tensors="pt",
            add_special_tokens=self._adds_special_tokens(texts[0]),
        )
        return {name: self._placed(value) for name, value in inputs.items()}

    def _placed(self, value: Any) -> Any:
        value = value.to(self.runtime.device)
        return value.to(self.runtime.dtype) if value.is_floating_point() else value

    def _chat(self, prompt: str) -> str:
        plain = self._plain(prompt)
        if not self.processor.chat_template:
            return _PLAIN_CHAT.format(video=self.processor.video_token, prompt=plain)
        content = [{"type": "video"}, {"type": "text", "text": plain}]
        messages = [{"role": "user", "content": content}]
        return str(self.processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))

    def _plain(self, prompt: str) -> str:
        """Take out the marks that would open another turn or another video; captions are data."""
        marks = (self.processor.video_token, self.processor.image_token, *self.processor.tokenizer.all_special_tokens)
        for mark in marks:
            prompt = prompt.replace(mark, " ") if len(mark) > 1 else prompt
        return prompt

    def _adds_special_tokens(self, chat: str) -> bool:
        start = self.processor.tokenizer.bos_token
        return start is None or not chat.startswith(start)


def load_video_language_model(profile: Profile, runtime: Runtime) -> VideoLanguageModel:
    """Load the profile's video-language model; its configuration says which class it is.

    Raises:
        MissingModelError: the model is not on this machine and cannot be fetched.
        BadInputError: it is of another kind, or cannot be loaded.
    """
    from transformers import (
        AutoConfig,
        AutoProcessor,
        LlavaNextVideoForConditionalGeneration,
        VideoLlavaForConditionalGeneration,
    )

    classes = {
        "video_llava": VideoLlavaForConditionalGeneration,
        "llava_next_video": LlavaNextVideoForConditionalGeneration,
    }
    reference = profile.model(ROLE)
    with opening(reference, "a video-language model") as options:
        kind = AutoConfig.from_pretrained(reference.location, **options).model_type
        if kind in classes:
            processor: Any = AutoProcessor.from_pretrained(reference.location, **options)
            model: Any = load_whole(classes[kind], reference, dtype=runtime.dtype, **options)
    if kind not in classes:
        raise BadInputError(f"{reference}: is a {kind}; the role {ROLE} takes {' or '.join(SUPPORTED_TYPES)}")
    check_tokenizer(processor.tokenizer, reference)
    if processor.tokenizer.pad_token is None:
        processor.tokenizer.pad_token = processor.tokenizer.eos_token
    own, batch_size = runtime.of(reference), reference.max_pictures_per_pass or PASS_SIZES[ROLE]
    return VideoLanguageModel(str(reference), place(model.eval(), own), processor, own, batch_size)
