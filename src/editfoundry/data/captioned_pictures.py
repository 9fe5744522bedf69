"""Captioned pictures in plain WebDataset tars, as img2dataset and others write them: ``KEY.jpg`` beside ``KEY.txt``.

Tars are read in place, on the disk or in S3, a picture by one ranged read: a list of where everything lies is made once
and memory-mapped, so memory does not grow with the number of pictures.
"""

from __future__ import annotations

import fcntl
import io
import json
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image

from editfoundry.data.atomic import atomic_folder
from editfoundry.data.hashing import file_hash, input_hash
from editfoundry.data.images import open_image
from editfoundry.data.index import shards_of
from editfoundry.data.output_folder import place_for
from editfoundry.data.png import encode_png
from editfoundry.data.s3_path import S3Path
from editfoundry.data.storage import is_remote, locate, read_range, require_on_disk
from editfoundry.data.untrusted import parse_json
from editfoundry.errors import BadInputError, one_line

PLACES_STAGE, TARS_STAGE = "captioned picture places", "captioned pictures"
PICTURES = (".jpg", ".jpeg", ".png", ".webp")
CAPTION, METADATA, BOXES = ".txt", ".json", ".boxes.json"
"""Members beside a picture: its caption; or img2dataset's JSON, of whose ``caption`` a missing or blank one is taken;
and boxes ``[[x0, y0, x1, y1], ...]`` in pixels of what the caption names, where somebody knows them."""
MAX_TEXT_BYTES = 2**20
"""Of a caption or a JSON; what is longer is no caption."""
ELSEWHERE = "elsewhere.txt"
"""In the place of tars: where they are, an address or a path that starts at its folder."""
Stamp = tuple[str | int, ...]
_KINDS = ("picture", "caption", "metadata", "boxes")
_TEXTS = ("caption", "metadata")
_COLUMNS = 1 + 2 * len(_KINDS)
_HEADER = 512
_BYTES_AT_ONCE = 2**20


@dataclass(frozen=True)
class CaptionedPictures:
    """Random access to the pictures and captions of a folder of tars, in the order of its tars."""

    tars: Sequence[Path]
    places: np.ndarray
    """``(N, 9)`` int64, memory-mapped: the tar's number, then offset and length, in bytes, of picture, caption,
    metadata and boxes; -1 where there is none."""
    num_passed_over: int
    """Records that have no picture, or no caption."""
    content_hash: str
    """Of the tars' names and bytes, wherever they lie."""

    def __len__(self) -> int:
        return len(self.places)

    def picture(self, number: int) -> Image.Image:
        """Return a picture, upright 8-bit RGB.

        Raises:
            BadInputError: it is broken, or its tar is not there any more.
        """
        tar, offset, length = self._place(number, "picture")
        # With its header, which has the name for messages: one read, and from S3 one request.
        block = _read(tar, offset - _HEADER, _HEADER + length)
        return open_image(block[_HEADER:], f"{tar}: {_member_name(block)}")

    def caption(self, number: int) -> str:
        """Return a picture's caption, on one line.

        Raises:
            BadInputError: its tar is not what it was.
        """
        kind = "caption" if self._has(number, "caption") else "metadata"
        found = _caption_in(kind, self._member(number, kind))
        if not found:
            raise BadInputError(f"{self.name(number)}: its caption is gone; its tar was changed after training began")
        return found

    def boxes(self, number: int) -> list[list[float]] | None:
        """Return the boxes that lie beside a picture, in its pixels; None where none do.

        Raises:
            BadInputError: they are no list of four numbers each.
        """
        if not self._has(number, "boxes"):
            return None
        try:
            found = parse_json(self._member(number, "boxes").decode())
        except (ValueError, RecursionError) as error:
            raise BadInputError(f"{self.name(number)}: its {BOXES} is no JSON ({one_line(error, 100)})") from error
        if not (isinstance(found, list) and all(_is_box(box) for box in found)):
            raise BadInputError(f"{self.name(number)}: its {BOXES} must be a list of boxes [x0, y0, x1, y1] in pixels")
        return [[float(edge) for edge in box] for box in found]

    def name(self, number: int) -> str:
        """Say where a record lies, for messages."""
        tar, offset, _ = self._place(number, "picture")
        return f"{tar}: {_member_name(_read(tar, offset - _HEADER, _HEADER))}"

    def _has(self, number: int, kind: str) -> bool:
        return int(self.places[number, 1 + 2 * _KINDS.index(kind)]) >= 0

    def _member(self, number: int, kind: str) -> bytes:
        return _read(*self._place(number, kind))

    def _place(self, number: int, kind: str) -> tuple[Path, int, int]:
        """Return a member's tar, offset and length in bytes."""
        first = 1 + 2 * _KINDS.index(kind)
        offset, length = self.places[number, first : first + 2].tolist()
        return self.tars[int(self.places[number, 0])], offset, length


def captioned_pictures_hash(dataset: Path, work_dir: Path) -> str:
    """Return the hash of the tars' names and bytes, the same on the disk and in S3; see `open_captioned_pictures`.

    Of an object in S3 that another program sent, without its sha256, the ETag counts in the place of its bytes.

    Raises:
        BadInputError: as `open_captioned_pictures`.
    """
    return open_captioned_pictures(dataset, work_dir).content_hash


def open_captioned_pictures(dataset: Path, work_dir: Path) -> CaptionedPictures:
    """Open a folder of tars, or one tar.

    Where everything lies is found once, with the hash of the tars, and kept below ``work_dir`` until a tar changes: on
    the disk its path, size or time of change, in S3 its version.

    Raises:
        BadInputError: there is no tar, one is cut, damaged or compressed, or none has a captioned picture.
    """
    tars = _tars_of(dataset)
    stamps = [_stamp(tar) for tar in tars]
    folder = work_dir / f"captioned-{input_hash(stamps)[:16]}"
    if not folder.is_dir():
        with _one_at_a_time(folder):
            if not folder.is_dir():
                with atomic_folder(folder, PLACES_STAGE) as partial:
                    _write_places(tars, stamps, partial, dataset)
    told = json.loads((folder / "told.json").read_text())
    places = np.load(folder / "places.npy", mmap_mode="r")
    return CaptionedPictures(tars, places, told["num_passed_over"], told["content_hash"])


def write_captioned_pictures(
    folder: Path, records: Iterable[tuple[Image.Image, str, list[list[float]] | None]], pictures_per_tar: int
) -> int:
    """Write ``00000.tar``, ..., of pictures, captions and, where they are known, boxes; return their number.

    What was in the folder is replaced as a whole, once all is written.

    Raises:
        BadInputError: ``folder`` holds something else.
    """
    count, waiting = 0, iter(records)
    with atomic_folder(folder, TARS_STAGE) as partial:
        for number in range(10**5):
            first = next(waiting, None)
            if first is None:
                break
            with tarfile.open(partial / tar_name(number), mode="w", format=tarfile.USTAR_FORMAT) as tar:
                for record in _up_to(pictures_per_tar, first, waiting):
                    _add_record(tar, f"{count:09d}", *record)
                    count += 1
    return count


def tar_name(number: int) -> str:
    """Return the name of a tar that `write_captioned_pictures` writes."""
    return f"{number:05d}.tar"


def point_elsewhere(folder: Path, address: str) -> None:
    """Make ``folder`` stand for the tars at ``address``: ``s3://``, or a path, relative to ``folder`` or not.

    Raises:
        BadInputError: ``folder`` holds something else.
    """
    with atomic_folder(folder, TARS_STAGE) as partial:
        (partial / ELSEWHERE).write_text(f"{address}\n", encoding="utf-8")


def _up_to(most: int, first: tuple, rest: Iterator[tuple]) -> Iterator[tuple]:  # type: ignore[type-arg]
    yield first
    for _ in range(most - 1):
        following = next(rest, None)
        if following is None:
            return
        yield following


def _add_record(
    tar: tarfile.TarFile, key: str, picture: Image.Image, caption: str, boxes: list[list[float]] | None
) -> None:
    members = {".png": encode_png(picture, "RGB"), CAPTION: caption.encode()}
    if boxes is not None:
        members[BOXES] = json.dumps(boxes).encode()
    for suffix, data in members.items():
        info = tarfile.TarInfo(key + suffix)
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))


def _read(tar: Path, offset: int, length: int) -> bytes:
    try:
        data = read_range(tar, offset, length)
    except FileNotFoundError as error:
        raise BadInputError(f"{tar}: missing, though it was there when training began; put it back") from error
    if len(data) != length:
        raise BadInputError(f"{tar}: was cut after training began; copy it again")
    return data


def _member_name(header: bytes) -> str:
    return header[:100].rstrip(bytes(1)).decode("utf-8", "replace")


def _tars_of(dataset: Path) -> list[Path]:
    place = locate(dataset)
    if (place / ELSEWHERE).is_file():
        address = (place / ELSEWHERE).read_text(encoding="utf-8").strip()
        place = locate(address) if is_remote(address) else place / address
    return shards_of(place)


def _stamp(tar: Path) -> Stamp:
    """Return what changes where a tar does: its place, and in S3 its version, else its size and time of change."""
    try:
        if isinstance(tar, S3Path):
            return str(tar), tar.version()
        if tar.is_file():
            found = tar.stat()
            return str(tar.resolve()), found.st_size, found.st_mtime_ns
    except FileNotFoundError:
        pass
    raise BadInputError(f"{tar}: no such tar of captioned pictures")


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Let one of several processes make ``folder``."""
    require_on_disk(folder)
    with place_for(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = folder.with_name(f".{folder.name}.lock").open("w")
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _write_places(tars: Sequence[Path], stamps: Sequence[Stamp], folder: Path, dataset: Path) -> None:
    """Read the tars, what is known of one in memory at a time."""
    count, passed_over = 0, 0
    with (folder / "places.bin").open("wb") as file:
        for number, tar in enumerate(tars):
            rows, left = _places_of(tar, number)
            rows.tofile(file)
            count, passed_over = count + len(rows), passed_over + left
    if not count:
        raise BadInputError(f"{dataset}: no captioned picture: expected {', '.join(PICTURES)}, each beside a .txt")
    places = np.memmap(folder / "places.bin", dtype=np.int64, mode="r", shape=(count, _COLUMNS))
    np.save(folder / "places.npy", places)
    del places
    (folder / "places.bin").unlink()
    versions = [stamp[1] if is_remote(tar) else file_hash(tar) for tar, stamp in zip(tars, stamps, strict=True)]
    content_hash = input_hash([[tar.name, version] for tar, version in zip(tars, versions, strict=True)])
    (folder / "told.json").write_text(json.dumps({"num_passed_over": passed_over, "content_hash": content_hash}))


def _places_of(tar: Path, number: int) -> tuple[np.ndarray, int]:
    """Return a tar's rows of ``CaptionedPictures.places``, and the number of its records that are no captioned one."""
    found: dict[str, dict[str, tuple[int, int]]] = {}
    last = "its start"
    try:
        with tar.open("rb") as file, tarfile.open(fileobj=file, mode="r:") as members:
            while (member := members.next()) is not None:
                last = f"member {one_line(member.name, 100)}"
                key, kind = _key_and_kind(member.name)
                if kind and member.isfile():
                    places = found.setdefault(key, {})
                    if kind not in _TEXTS or _tells(file, member, kind):
                        places[kind] = (member.offset_data, member.size)
                # tarfile would keep every member.
                members.members = []  # type: ignore[attr-defined]
            is_whole = _ends_at(file, members.offset)
    except tarfile.TarError as error:
        raise BadInputError(
            f"{tar}: no plain tar, or cut ({one_line(error, 100)}): copy it again, uncompressed"
        ) from error
    if not is_whole:
        raise BadInputError(f"{tar}: cut or damaged after {last}, or two tars in one file: copy it again")
    whole = [kinds for kinds in found.values() if "picture" in kinds and ("caption" in kinds or "metadata" in kinds)]
    rows = [[number, *(edge for kind in _KINDS for edge in kinds.get(kind, (-1, -1)))] for kinds in whole]
    return np.array(rows, dtype=np.int64).reshape(-1, _COLUMNS), len(found) - len(whole)


def _tells(file: IO[bytes], member: tarfile.TarInfo, kind: str) -> bool:
    """Return whether a member holds a caption, by which a picture can be trained on."""
    if member.size > MAX_TEXT_BYTES:
        return False
    file.seek(member.offset_data)
    return bool(_caption_in(kind, file.read(member.size)))


def _caption_in(kind: str, data: bytes) -> str:
    """Return the caption that a ``caption`` or ``metadata`` member holds, on one line; empty where there is none."""
    text: object = None
    if kind == "caption":
        text = data.decode("utf-8", "replace")
    else:
        with suppress(ValueError, RecursionError):
            values = parse_json(data.decode())
            text = values.get("caption") if isinstance(values, dict) else None
    return " ".join(text.split()) if isinstance(text, str) else ""


def _ends_at(file: IO[bytes], offset: int) -> bool:
    """Return whether a tar's end, a block of zeros and nothing else behind it, begins ``offset`` bytes from its start.

    tarfile takes a header that is cut or damaged for the end.
    """
    file.seek(offset)
    num_bytes = 0
    while data := file.read(_BYTES_AT_ONCE):
        if data.count(0) != len(data):
            return False
        num_bytes += len(data)
    return num_bytes >= _HEADER


def _key_and_kind(name: str) -> tuple[str, str]:
    """Return a member's record, its name up to the first dot after the last slash, and what the member is."""
    folder, _, file = name.rpartition("/")
    stem, dot, suffix = file.partition(".")
    ending = (dot + suffix).lower()
    kinds = {**dict.fromkeys(PICTURES, "picture"), CAPTION: "caption", METADATA: "metadata", BOXES: "boxes"}
    return f"{folder}/{stem}", kinds.get(ending, "")


def _is_box(box: object) -> bool:
    return isinstance(box, list) and len(box) == 4 and all(isinstance(edge, int | float) for edge in box)
