"""Captioned pictures in plain WebDataset tars: where they lie, what is passed over, what is refused."""

from __future__ import annotations

import io
import json
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_models import tiny_image

from editfoundry.data.captioned_pictures import (
    MAX_TEXT_BYTES,
    captioned_pictures_hash,
    open_captioned_pictures,
    write_captioned_pictures,
)
from editfoundry.errors import BadInputError


def encoded(image: Image.Image, kind: str = "PNG") -> bytes:
    data = io.BytesIO()
    image.save(data, kind)
    return data.getvalue()


def write_tar(path: Path, members: dict[str, bytes], mode: str = "w") -> None:
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def test_what_is_written_is_read_back_in_order_over_several_tars(tmp_path: Path) -> None:
    records = [(tiny_image(n), f"picture  {n}\n", [[1.0, 2, 3, 4]] if n % 2 else None) for n in range(5)]
    assert write_captioned_pictures(tmp_path / "pictures", records, pictures_per_tar=2) == 5
    assert sorted(p.name for p in (tmp_path / "pictures").glob("*.tar")) == ["00000.tar", "00001.tar", "00002.tar"]
    opened = open_captioned_pictures(tmp_path / "pictures", tmp_path / "work")
    assert len(opened) == 5 and opened.num_passed_over == 0
    for number, (image, _, boxes) in enumerate(records):
        assert (np.asarray(opened.picture(number)) == np.asarray(image)).all()
        assert opened.caption(number) == f"picture {number}"
        assert opened.boxes(number) == boxes


def test_the_layouts_of_img2dataset_and_of_folders_are_read_and_the_rest_is_passed_over(tmp_path: Path) -> None:
    write_tar(
        tmp_path / "a.tar",
        {
            "000.jpg": encoded(tiny_image(0), "JPEG"),
            "000.json": json.dumps({"caption": "a cup", "url": "x"}).encode(),
            "deep/er/1.WEBP": encoded(tiny_image(1), "WEBP"),
            "deep/er/1.txt": "ein Hund ü".encode(),
            "alone.txt": b"no picture",
            "bare.png": encoded(tiny_image(2)),
            "noise.bin": b"1",
        },
    )
    opened = open_captioned_pictures(tmp_path / "a.tar", tmp_path / "work")
    assert [opened.caption(n) for n in range(len(opened))] == ["a cup", "ein Hund ü"]
    assert opened.num_passed_over == 2
    assert opened.name(1).endswith("a.tar: deep/er/1.WEBP")


def test_where_everything_lies_is_found_once_and_anew_where_a_tar_changed(tmp_path: Path) -> None:
    record = (tiny_image(0), "a cup", None)
    write_captioned_pictures(tmp_path / "data", [record], 1)
    before = captioned_pictures_hash(tmp_path / "data", tmp_path / "work")
    open_captioned_pictures(tmp_path / "data", tmp_path / "work")
    [places] = (tmp_path / "work").glob("captioned-*/places.npy")
    written = places.stat().st_mtime_ns
    open_captioned_pictures(tmp_path / "data", tmp_path / "work")
    assert places.stat().st_mtime_ns == written
    write_captioned_pictures(tmp_path / "data", [record] * 2, 1)
    assert captioned_pictures_hash(tmp_path / "data", tmp_path / "work") != before
    assert len(open_captioned_pictures(tmp_path / "data", tmp_path / "work")) == 2


def test_tars_of_equal_names_and_sizes_are_told_apart_by_their_bytes(tmp_path: Path) -> None:
    for name, captions in (("one", ["a red cup"]), ("same", ["a red cup"]), ("other", ["a dog", "a tree"])):
        write_captioned_pictures(tmp_path / name, [(tiny_image(0, (16, 16)), text, None) for text in captions], 9)
    sizes = {(tmp_path / name / "00000.tar").stat().st_size for name in ("one", "same", "other")}
    opened = {name: open_captioned_pictures(tmp_path / name, tmp_path / "work") for name in ("one", "same", "other")}
    assert len(sizes) == 1 and [len(one) for one in opened.values()] == [1, 1, 2]
    assert opened["one"].content_hash == opened["same"].content_hash != opened["other"].content_hash
    # A caption is corrected in place.
    tar = tmp_path / "one" / "00000.tar"
    changed = tar.stat().st_mtime_ns + 1
    tar.write_bytes(tar.read_bytes().replace(b"a red cup", b"a big cup"))
    os.utime(tar, ns=(changed, changed))
    corrected = open_captioned_pictures(tmp_path / "one", tmp_path / "work")
    assert corrected.caption(0) == "a big cup" and corrected.content_hash != opened["one"].content_hash


SPOILT = {
    "a damaged header": lambda data, at: data[: at + 150] + bytes([data[at + 150] ^ 17]) + data[at + 151 :],
    "cut inside a header": lambda data, at: data[: at + 100],
    "cut before a header": lambda data, at: data[:at],
    "zeros in the middle": lambda data, at: data[:at] + bytes(1024) + data[at + 1024 :],
    "two tars in one": lambda data, at: data + data,
}


@pytest.mark.parametrize("kind", SPOILT)
def test_a_tar_that_tarfile_takes_for_ended_too_early_is_refused_and_its_last_member_named(
    tmp_path: Path, kind: str
) -> None:
    whole = [(f"{n}.png", encoded(tiny_image(n))) for n in range(4)] + [(f"{n}.txt", b"a cup") for n in range(4)]
    write_tar(tmp_path / "a.tar", dict(sorted(whole)))
    data = (tmp_path / "a.tar").read_bytes()
    (tmp_path / "a.tar").write_bytes(SPOILT[kind](data, data.find(b"2.png")))
    last = "3.txt" if kind == "two tars in one" else "1.txt"
    with pytest.raises(BadInputError, match=f"a.tar: cut or damaged after member {last}.*: copy it again") as error:
        open_captioned_pictures(tmp_path, tmp_path / "work")
    assert "\n" not in str(error.value) and not list((tmp_path / "work").glob("captioned-*"))


def test_records_without_a_caption_are_passed_over_and_counted(tmp_path: Path) -> None:
    without: list[dict[str, bytes]] = [
        {".json": b'{"caption": null}'}, {".json": b"{}"}, {".json": b"{"}, {".json": b"[1]"}, {".json": b"\xff"},
        {".json": b'{"caption": "  "}'}, {".txt": b""}, {".txt": b" \n "}, {".txt": b"x" * (MAX_TEXT_BYTES + 1)},
        {".txt": b" ", ".json": b'{"caption": 3}'},
    ]  # fmt: skip
    captioned = [{".txt": b" ", ".json": b'{"caption": "a  cup"}'}, {".txt": b"a dog", ".json": b"{"}]
    members: dict[str, bytes] = {}
    for number, texts in enumerate([*without, *captioned]):
        members |= {f"{number:02d}.png": encoded(tiny_image(number))}
        members |= {f"{number:02d}{ending}": text for ending, text in texts.items()}
    write_tar(tmp_path / "a.tar", members)
    opened = open_captioned_pictures(tmp_path, tmp_path / "work")
    assert [opened.caption(number) for number in range(len(opened))] == ["a cup", "a dog"]
    assert opened.num_passed_over == len(without)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"0.png": b"broken", "0.txt": b"a cup"}, r"a.tar: 0.png"),
        ({"0.png": encoded(tiny_image(0)), "0.txt": b"x", "0.boxes.json": b"{"}, "0.png: its .boxes.json is no JSON"),
        ({"0.png": encoded(tiny_image(0)), "0.txt": b"x", "0.boxes.json": b"[[1, 2]]"}, "must be a list of boxes"),
    ],
)
def test_a_damaged_record_is_named(tmp_path: Path, members: dict[str, bytes], message: str) -> None:
    write_tar(tmp_path / "a.tar", members)
    opened = open_captioned_pictures(tmp_path, tmp_path / "work")
    with pytest.raises(BadInputError, match=message):
        opened.picture(0), opened.caption(0), opened.boxes(0)


def test_a_folder_without_captioned_pictures_and_a_tar_that_is_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="no shard"):
        open_captioned_pictures(tmp_path, tmp_path / "work")
    write_tar(tmp_path / "a.tar", {"0.txt": b"x"})
    with pytest.raises(BadInputError, match="no captioned picture"):
        open_captioned_pictures(tmp_path, tmp_path / "work")
    (tmp_path / "a.tar").write_bytes(b"x" * 2000)
    with pytest.raises(BadInputError, match="a.tar: no plain tar, or cut"):
        open_captioned_pictures(tmp_path, tmp_path / "work")
    write_tar(tmp_path / "a.tar", {"0.png": encoded(tiny_image(0, (64, 64))), "0.txt": b"x"})
    (tmp_path / "a.tar").write_bytes((tmp_path / "a.tar").read_bytes()[:1500])
    with pytest.raises(BadInputError, match="no plain tar, or cut"):
        open_captioned_pictures(tmp_path, tmp_path / "work")


def test_a_tar_that_is_cut_after_it_was_opened_is_named(tmp_path: Path) -> None:
    write_captioned_pictures(tmp_path / "data", [(tiny_image(0, (64, 64)), "a cup", None)], 1)
    opened = open_captioned_pictures(tmp_path / "data", tmp_path / "work")
    [tar] = (tmp_path / "data").glob("*.tar")
    tar.write_bytes(tar.read_bytes()[:1000])
    with pytest.raises(BadInputError, match="was cut after training began"):
        opened.picture(0)
    tar.unlink()
    with pytest.raises(BadInputError, match="missing, though it was there"):
        opened.caption(0)
