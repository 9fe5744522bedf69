"""How well captions fit the pictures, by how probable the judge finds them as its own descriptions.

A small judge often sees rightly and answers wrongly. What it would say of a picture, and how much less likely it would
have said the caption, is then the better witness.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image

from editfoundry.judging.edit_pair import EditPair
from editfoundry.judging.judge_prompts import DESCRIBE

if TYPE_CHECKING:
    from editfoundry.pretrained.vision_language_model import VisionLanguageModel


@dataclass(frozen=True, kw_only=True)
class CaptionScores:
    """Differences of log-likelihoods, in nats; high is good."""

    fit: float
    """Of the output: its caption's less that of the judge's own description. What the judge would rather say of the
    input than the caption that is true of it is a misreading, and not held against the output."""
    contrast: float
    """Of the output: its caption's less that of the input's caption."""


def score_captions(
    model: VisionLanguageModel, pairs: Sequence[EditPair], seen: Sequence[tuple[str, str]]
) -> list[CaptionScores | None]:
    """Score whole batches at a time; what several pairs ask alike is asked once.

    Args:
        model: the profile's vision-language model.
        pairs: edits.
        seen: of each, what the model itself said of input and output.

    Returns:
        In nats, one for each pair; None where a caption is not known.
    """
    questions = [_questions(pair, said) for pair, said in zip(pairs, seen, strict=True)]
    asked = {(id(picture), text): picture for row in questions for picture, text in row}
    images, texts = [(picture,) for picture in asked.values()], [text for _, text in asked]
    found = model.log_likelihoods(images, [DESCRIBE] * len(texts), texts).tolist()
    likelihoods = dict(zip(asked, found, strict=True))
    return [_scores([likelihoods[id(picture), text] for picture, text in row]) if row else None for row in questions]


def caption_contrasts(model: VisionLanguageModel, asked: Sequence[tuple[Image.Image, str, str]]) -> list[float]:
    """Return how many nats likelier the model finds one caption than another as its description of a picture.

    Args:
        model: the profile's vision-language model.
        asked: RGB picture, the caption that should fit, the caption that should not.
    """
    images = [(picture,) for picture, _, _ in asked for _ in range(2)]
    texts = [caption for _, *captions in asked for caption in captions]
    found = model.log_likelihoods(images, [DESCRIBE] * len(texts), texts).tolist()
    return [fits - other for fits, other in zip(found[::2], found[1::2], strict=True)]


def _questions(pair: EditPair, seen: tuple[str, str]) -> list[tuple[Image.Image, str]]:
    """Return which picture is described by which text, in the order that `_scores` takes; none without captions."""
    if not (pair.input_caption.strip() and pair.output_caption.strip()):
        return []
    before, after = pair.input_image, pair.output_image
    return [
        (before, seen[0]),
        (before, pair.input_caption),
        (after, seen[1]),
        (after, pair.output_caption),
        (after, pair.input_caption),
    ]


def _scores(likelihoods: Sequence[float]) -> CaptionScores:
    said_of_input, of_input, said_of_output, of_output, unchanged = likelihoods
    misread = max(0.0, said_of_input - of_input)
    return CaptionScores(fit=of_output - said_of_output + misread, contrast=of_output - unchanged)
