"""The records that flow through the lineage: captions, quadruples and triplets."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from editfoundry.data.edit_tasks import check_task

WORLD_CATEGORIES = (
    "Long-Term",
    "Physical-Trans",
    "Spatial-Trans",
    "Implicit-Logic",
    "Story-Type",
    "Real-to-Virtual",
    "Exaggeration",
)
PLAIN_CATEGORIES = ("add", "change", "remove")


def short_hash(*parts: str | bytes) -> str:
    """Return the first 16 hex digits of a sha256 over length-prefixed parts."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "big"))
        digest.update(data)
    return digest.hexdigest()[:16]


@dataclass(frozen=True, kw_only=True)
class Caption:
    """One caption of a LAION-schema table."""

    caption: str
    """What the image shows, as the table says it."""
    url: str = ""
    """Where the image was found; it is never fetched."""
    width: int | None = None
    """Pixels."""
    height: int | None = None
    """Pixels."""
    similarity: float | None = None
    """CLIP similarity of image and caption, as the table gives it."""
    punsafe: float | None = None
    """Probability in [0, 1] that the image is unsafe."""
    pwatermark: float | None = None
    """Probability in [0, 1] that the image is watermarked."""
    aesthetic_score: float | None = None
    """LAION aesthetic predictor's score, about 1 to 10."""

    @property
    def id(self) -> str:
        """First 16 hex digits of the sha256 of caption and URL."""
        return short_hash(self.caption, self.url)


@dataclass(frozen=True, kw_only=True)
class Clip:
    """A stretch of a video, as InternVid's tables name them; nothing is cut out or encoded anew."""

    video: str
    """Path of the video's file from the folder that this clip's shard lies in."""
    video_id: str
    """Name of the video, which its clips share."""
    start: float = 0.0
    """Seconds from the beginning of the video."""
    end: float | None = None
    """Seconds; None is the end of the video."""
    caption: str = ""
    """What the clip shows, as the table says it."""
    aesthetic_score: float | None = None
    """How pleasing the clip's frames are, as the table gives it."""
    umt_score: float | None = None
    """How well the caption fits the clip, by UMT."""
    fingerprint: str = ""
    """First 16 hex digits of the sha256 of the file's length and both its ends."""

    @property
    def id(self) -> str:
        """First 16 hex digits of the sha256 of video and range."""
        return short_hash(self.video_id, f"{self.start:.3f}", "" if self.end is None else f"{self.end:.3f}")


@dataclass(frozen=True, kw_only=True)
class Quadruple:
    """EditWorld's text stage: what the picture shows, what happens, what it shows then, and what must change."""

    input_caption: str
    """What the picture shows before the edit."""
    instruction: str
    """What happens, or what is to be done."""
    output_caption: str
    """What the picture shows after the edit."""
    keywords: tuple[str, ...]
    """Single words of ``input_caption``."""
    category: str
    """One of EditWorld's seven world categories, ``add``, ``change`` or ``remove``."""
    source: str = ""
    """Where it comes from: a caption's id, a file and row, a rule's name."""

    @property
    def id(self) -> str:
        """First 16 hex digits of the sha256 of its texts."""
        return short_hash(self.input_caption, self.instruction, self.output_caption, *self.keywords)


@dataclass(frozen=True, kw_only=True)
class Triplet:
    """One edit: input image, instruction, output image, and where all of it comes from."""

    instruction: str
    """What is to be done, or what happens."""
    input_image: Image.Image
    """RGB, any size."""
    output_image: Image.Image
    """RGB, the input's size."""
    input_caption: str = ""
    """What the input image shows; empty where nobody wrote it."""
    output_caption: str = ""
    """What the output image shows; empty where nobody wrote it."""
    expressive_instruction: str = ""
    """What a model that saw the input says the output will look like (MGIE, section 3.1); empty where none did."""
    keywords: tuple[str, ...] = ()
    """Words of the input caption whose objects the edit changes."""
    category: str = ""
    """A world category, ``add``, ``change``, ``remove``, or one of Emu Edit's tasks."""
    task: str = ""
    """One of the sixteen tasks of Emu Edit; empty where it is not known."""
    recipe: str = ""
    """How it was made: ``editworld-text``, ``editworld-video``, ``instruct-pix2pix``..."""
    source: str = ""
    """Caption id and URL, or video id and both timestamps."""
    mask: Image.Image | None = None
    """Mode ``L``, the input's size; 255 where the edit was allowed."""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    """Role -> model @ revision, seed, and every parameter that shaped the sample; JSON-serialisable."""
    scores: Mapping[str, float] = field(default_factory=dict)
    """Name of a score -> its value, for example of ``clip_direction``."""
    split: str = ""
    """``train``, ``validation``, ``test``, or empty before the data set is split."""

    def __post_init__(self) -> None:
        check_task(self.task)

    @property
    def id(self) -> str:
        """First 16 hex digits of the sha256 of the instruction and both images' pixels."""
        return triplet_id(self.instruction, self.input_image, self.output_image)


def triplet_id(instruction: str, input_image: Image.Image, output_image: Image.Image) -> str:
    """Return the first 16 hex digits of the sha256 of an instruction and both images' RGB pixels."""
    return short_hash(instruction, _pixels(input_image), _pixels(output_image))


def mask_hash(mask: Image.Image) -> str:
    """Return the first 16 hex digits of the sha256 of a mask's pixels, as mode ``L``."""
    grey = mask.convert("L")
    return short_hash(f"{grey.width}x{grey.height}".encode() + grey.tobytes())


def _pixels(image: Image.Image) -> bytes:
    rgb = image.convert("RGB")
    return f"{rgb.width}x{rgb.height}".encode() + rgb.tobytes()
