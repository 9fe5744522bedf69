"""Caption pairs: what the first picture shows, the instruction, what the second one shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from editfoundry.data.record import short_hash
from editfoundry.errors import Rejection
from editfoundry.synthesis.instructions.instruction_format import MARKS, is_same_caption
from editfoundry.synthesis.prompt_lengths import check_prompt_length

if TYPE_CHECKING:
    from editfoundry.pretrained.text_to_image import Painter

SPELLINGS = {
    "input_caption": ("input", "caption", "input_caption"),
    "instruction": ("edit", "instruction"),
    "output_caption": ("output", "output_caption"),
}
"""Field -> the names it may have in a row; the released files say ``input`` in one place and ``caption`` in another."""
NOT_A_ROW, MARK_INSIDE, EQUAL_CAPTIONS = "not a row", "mark in text", "equal captions"
_MAX_CHARACTERS = 1000


@dataclass(frozen=True, kw_only=True)
class CaptionPair:
    """One row of the text stage."""

    input_caption: str
    """What the first picture shows."""
    instruction: str
    """What is to be done to it."""
    output_caption: str
    """What the second picture shows."""
    category: str = ""
    """``add``, ``change`` or ``remove``, where that is known."""
    source: str = ""
    """Where the input caption comes from: its id and address, or file and row."""
    number: int = 0
    """Its place in the input, from 0; InstructPix2Pix's layout calls folders by it."""

    @property
    def id(self) -> str:
        """First 16 hex digits of the sha256 of its three texts."""
        return short_hash(self.input_caption, self.instruction, self.output_caption)

    def texts(self) -> dict[str, str]:
        """Return the three texts as a record names them."""
        return {name: getattr(self, name) for name in SPELLINGS}


def read_pair(row: object, number: int, place: str) -> CaptionPair:
    """Return the pair that a row of a file says.

    Raises:
        Rejection: a text is missing or empty, has a mark of the text stage inside, or the captions are equal up to
            case, spaces and final punctuation.
    """
    if not isinstance(row, Mapping):
        raise Rejection(NOT_A_ROW, f"{place}: not an object with the keys input, edit, output")
    texts = {name: _text(row, name) for name in SPELLINGS}
    for name, text in texts.items():
        mark = next((mark for mark in MARKS if mark in text), None)
        if mark is not None:
            raise Rejection(MARK_INSIDE, f"{name} holds {mark!r}")
    if is_same_caption(texts["input_caption"], texts["output_caption"]):
        raise Rejection(EQUAL_CAPTIONS, texts["output_caption"][:_MAX_CHARACTERS])
    known = [str(row[name]) for name in ("id", "url") if isinstance(row.get(name), str | int) and row[name] != ""]
    category = row.get("category")
    return CaptionPair(
        **{name: text.strip() for name, text in texts.items()},
        category=category if isinstance(category, str) else "",
        source=" ".join(known) or place,
        number=number,
    )


def check_length(painter: Painter, pair: CaptionPair) -> None:
    """Raise Rejection where a caption is longer than a text encoder of the painter reads, both of SDXL's included."""
    for name in ("input_caption", "output_caption"):
        check_prompt_length(painter, name, getattr(pair, name))


def _text(row: Mapping[str, Any], name: str) -> str:
    text = next((row[spelling] for spelling in SPELLINGS[name] if spelling in row), None)
    if not isinstance(text, str) or not text.strip():
        raise Rejection(f"no {name.replace('_', ' ')}")
    return text
