"""The role ``detector``: finds what phrases name in a picture, and says where it is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from string import punctuation
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from editfoundry.pretrained.boxes import box_iou
from editfoundry.pretrained.opening import load_whole, opening
from editfoundry.pretrained.passes import PASS_SIZES, Passes
from editfoundry.pretrained.placement import place, with_model_at_work
from editfoundry.pretrained.runtime import Runtime
from editfoundry.pretrained.tokenizer_check import check_tokenizer
from editfoundry.profiles import Profile

THRESHOLD = 0.3
"""Score from which on a box is a find."""
PHRASES_AT_ONCE = 6
"""Phrases of a prompt."""
PHRASE_TOKENS = 32
"""Of a phrase; the rest is cut off."""
_NAMES_NOTHING = frozenset(
    ("", "a", "an", "the", "of", "and", "or", "in", "on", "at", "to", "with", "this", "that", "it")
)
"""Words that say nothing of a thing on their own."""
_CONTINUES = "##"
"""Begins a piece of a word that is not its first, in a WordPiece."""
_UNUSED = ("model.backbone.conv_encoder.model.layernorm.", "model.backbone.conv_encoder.model.swin.layernorm.")
"""A Swin's last norm, which its use as a backbone leaves out, and which was not published."""


@dataclass(frozen=True)
class FoundBox:
    """One thing that a phrase names, in a picture."""

    box: tuple[float, float, float, float]
    """``(x0, y0, x1, y1)`` in pixels of the picture, within it."""
    score: float
    """How sure the detector is, in [0, 1]."""


@dataclass(frozen=True)
class PhrasePrompt:
    """Phrases as Grounding DINO reads them, each closed by a full stop: ``[CLS] a cat. a red ball. [SEP]``."""

    input_ids: list[int]
    spans: list[tuple[int, int]]
    """Of each phrase, where its tokens begin and where they are over."""


@dataclass(frozen=True)
class Detector:
    """A Grounding DINO with its preprocessing."""

    name: str
    """Model @ revision, as provenance records it."""
    model: Any
    processor: Any
    runtime: Runtime
    batch_size: int = PASS_SIZES["detector"]
    """Pictures that go through the model together, each with up to ``PHRASES_AT_ONCE`` phrases."""

    def unknown_words(self, phrase: str) -> list[str]:
        """Return the words of a phrase that the model cannot read, all where none names a thing.

        It scores a phrase by its best word, one that it does not know at random: a red zebra is then what is red.
        """
        tokenizer, words = self.processor.tokenizer, _plain_words(phrase)
        naming = [word for word in words if word.strip(punctuation) not in _NAMES_NOTHING]
        return [word for word in naming if not _is_known(tokenizer, word)] if naming else words or [phrase]

    @with_model_at_work
    @torch.inference_mode()
    def find(
        self, images: Sequence[Image.Image], phrases: Sequence[Sequence[str]], threshold: float = THRESHOLD
    ) -> list[list[list[FoundBox]]]:
        """Find what phrases name; phrases of one picture go through the model together.

        Args:
            images: RGB, any sizes.
            phrases: of each image; letter case and full stops do not count.
            threshold: least score of a find.

        Returns:
            For each image and each of its phrases the finds, the surest first; several can be of one thing, see
            `apart`.
        """
        asked = [
            (number, start, list(said[start : start + PHRASES_AT_ONCE]))
            for number, said in enumerate(phrases)
            for start in range(0, len(said), PHRASES_AT_ONCE)
        ]
        found: list[list[list[FoundBox]]] = [[[] for _ in said] for said in phrases]
        parts = Passes(self.batch_size).run(
            len(asked), lambda part: self._batch([(images[n], texts) for n, _, texts in asked[part]], threshold)
        )
        for (number, start, _), answers in zip(asked, chain.from_iterable(parts), strict=True):
            found[number][start : start + len(answers)] = answers
        return found

    def _batch(
        self, questions: Sequence[tuple[Image.Image, list[str]]], threshold: float
    ) -> list[list[list[FoundBox]]]:
        images = [image.convert("RGB") for image, _ in questions]
        prompts = [build_prompt(self.processor.tokenizer, texts) for _, texts in questions]
        inputs = self.processor.image_processor(images=images, return_tensors="pt") | padded(prompts)
        outputs = self.model(**{name: value.to(self.runtime.device) for name, value in inputs.items()})
        scores, boxes = outputs.logits.float().sigmoid().cpu(), outputs.pred_boxes.float().cpu()
        # Boxes are shares of the picture without its padding.
        return [
            [_finds(phrase_scores(scores[row], span), boxes[row], image.size, threshold) for span in prompt.spans]
            for row, (image, prompt) in enumerate(zip(images, prompts, strict=True))
        ]


def load_detector(profile: Profile, runtime: Runtime) -> Detector:
    """Load the profile's detector, in float32, which the places that its attention looks at are computed in.

    Raises:
        MissingModelError: the model is not on this machine and cannot be fetched.
        BadInputError: its folder holds something that cannot be loaded.
    """
    from transformers import AutoModelForZeroShotObjectDetection, AutoProcessor

    reference = profile.model("detector")
    with opening(reference, "a Grounding DINO") as options:
        model: Any = load_whole(AutoModelForZeroShotObjectDetection, reference, _UNUSED, dtype=torch.float32, **options)
        processor: Any = AutoProcessor.from_pretrained(reference.location, **options)
    check_tokenizer(processor.tokenizer, reference)
    own = replace(runtime.of(reference), dtype=torch.float32)
    batch_size = reference.max_pictures_per_pass or PASS_SIZES["detector"]
    return Detector(str(reference), place(model.eval(), own), processor, own, batch_size)


def build_prompt(tokenizer: Any, phrases: Sequence[str]) -> PhrasePrompt:
    """Put phrases into one prompt; what would end a phrase early is taken out of it."""
    stop = tokenizer.convert_tokens_to_ids(".")
    input_ids, spans = [tokenizer.cls_token_id], []
    for phrase in phrases:
        tokens = _tokens(tokenizer, _plain_words(phrase))
        spans.append((len(input_ids), len(input_ids) + len(tokens)))
        input_ids += [*tokens, stop]
    return PhrasePrompt([*input_ids, tokenizer.sep_token_id], spans)


def _plain_words(phrase: str) -> list[str]:
    return re.sub(r"[.?]", " ", phrase).lower().split()


def _tokens(tokenizer: Any, words: Sequence[str]) -> list[int]:
    text = " ".join(words)
    found: list[int] = tokenizer(text, add_special_tokens=False, truncation=True, max_length=PHRASE_TOKENS)["input_ids"]
    return found


def _is_known(tokenizer: Any, word: str) -> bool:
    """Return whether a word has a token that is neither special nor, of a word in pieces, a single letter."""
    tokens = [token for token in _tokens(tokenizer, [word]) if token not in tokenizer.all_special_ids]
    pieces = tokenizer.convert_ids_to_tokens(tokens)
    is_spelt = any(piece.startswith(_CONTINUES) for piece in pieces)
    return bool(pieces) and not (is_spelt and all(len(piece.removeprefix(_CONTINUES)) == 1 for piece in pieces))


def padded(prompts: Sequence[PhrasePrompt]) -> dict[str, Tensor]:
    """Return a batch of prompts as the model takes it: ``(B, L)`` int64 each."""
    length = max(len(prompt.input_ids) for prompt in prompts)
    input_ids = torch.zeros(len(prompts), length, dtype=torch.int64)
    attention_mask = torch.zeros_like(input_ids)
    for row, prompt in enumerate(prompts):
        input_ids[row, : len(prompt.input_ids)] = torch.tensor(prompt.input_ids)
        attention_mask[row, : len(prompt.input_ids)] = 1
    return {"input_ids": input_ids, "attention_mask": attention_mask, "token_type_ids": torch.zeros_like(input_ids)}


def phrase_scores(scores: Tensor, span: tuple[int, int]) -> Tensor:
    """Return how well each query fits a phrase, ``(Q,)``: its best token, as the paper has it.

    Args:
        scores: ``(Q, L)`` of queries and tokens, in [0, 1].
        span: of the phrase's tokens.
    """
    start, end = span
    return scores[:, start:end].amax(1) if end > start else scores.new_zeros(len(scores))


def apart(finds: Sequence[FoundBox], overlap: float = 0.5) -> list[FoundBox]:
    """Return the surest find of each thing: those whose IoU with a surer one is at most ``overlap``."""
    kept: list[FoundBox] = []
    for find in sorted(finds, key=lambda one: -one.score):
        if all(box_iou(find.box, other.box) <= overlap for other in kept):
            kept.append(find)
    return kept


def _finds(scores: Tensor, boxes: Tensor, size: tuple[int, int], threshold: float) -> list[FoundBox]:
    """Return what a phrase found; ``boxes`` are ``(Q, 4)`` centres and sides, shares of the picture."""
    found = []
    for query in scores.argsort(descending=True, stable=True).tolist():
        if float(scores[query]) < threshold:
            break
        x, y, width, height = boxes[query].tolist()
        corners = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
        shares = [min(1.0, max(0.0, corner)) for corner in corners]
        box = (shares[0] * size[0], shares[1] * size[1], shares[2] * size[0], shares[3] * size[1])
        found.append(FoundBox(box, float(scores[query])))
    return found
