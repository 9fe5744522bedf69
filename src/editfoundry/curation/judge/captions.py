"""How well captions fit the pictures, by how probable the judge finds them as its own descriptions.

A small judge often sees rightly and answers wrongly. What it would say of a picture, and how much less likely it would
have said the caption, is then the better witness.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image

from editfoundry.curation.judge.prompts import DESCRIBE

if TYPE_CHECKING:
    from editfoundry.pretrained.vision_language_model import VisionLanguageModel


@dataclass(frozen=True, kw_only=True)
class CaptionedPair:
    """An edit whose two captions are known, and what the judge itself said of its pictures."""

    input_image: Image.Image
    """RGB."""
    output_image: Image.Image
    """RGB."""
    input_caption: str
    output_caption: str
    seen: tuple[str, str]
    """Of input and output."""


@dataclass(frozen=True, kw_only=True)
class CaptionScores:
    """Differences of log-likelihoods, in nats; high is good."""

    fit: float
    """Of the output: its caption's less that of the judge's own description. What the judge would rather say of the
    input than the caption that is true of it is a misreading, and not held against the output."""
    contrast: float
    """Of the output: its caption's less that of the input's caption."""


def score_captions(model: VisionLanguageModel, pairs: Sequence[CaptionedPair]) -> list[CaptionScores]:
    """Score whole batches at a time; what several pairs ask alike is asked once."""
    asked: dict[tuple[int, str], Image.Image] = {}
    for pair in pairs:
        for picture, text in _questions(pair):
            asked[id(picture), text] = picture
    images, texts = [(picture,) for picture in asked.values()], [text for _, text in asked]
    found = model.log_likelihoods(images, [DESCRIBE] * len(texts), texts).tolist()
    likelihoods = dict(zip(asked, found, strict=True))
    scores = []
    for pair in pairs:
        asked_of_pair = [likelihoods[id(picture), text] for picture, text in _questions(pair)]
        said_of_input, of_input, said_of_output, of_output, unchanged = asked_of_pair
        misread = max(0.0, said_of_input - of_input)
        scores.append(CaptionScores(fit=of_output - said_of_output + misread, contrast=of_output - unchanged))
    return scores


def _questions(pair: CaptionedPair) -> list[tuple[Image.Image, str]]:
    before, after = pair.input_image, pair.output_image
    return [
        (before, pair.seen[0]), (before, pair.input_caption),
        (after, pair.seen[1]), (after, pair.output_caption), (after, pair.input_caption),
    ]  # fmt: skip
