"""The stage ``captioned_pictures``: drawn once, and a person's own pictures stay where they are."""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path

import pytest
from tiny_models import tiny_image

from editfoundry.data.captioned_pictures import ELSEWHERE, open_captioned_pictures, write_captioned_pictures
from editfoundry.errors import BadInputError, UnavailableError
from editfoundry.execution.output_lock import output_lock
from editfoundry.lineage.params import Params
from editfoundry.lineage.stages import run_stage
from editfoundry.sources.captioned_picture_stage import INCOMPLETE, CaptionedPictureParams


def asked(**values: object) -> Params:
    return Params(captioned_pictures=CaptionedPictureParams(**values))


def tars(root: Path) -> dict[str, int]:
    return {tar.name: tar.stat().st_mtime_ns for tar in (root / "data/captioned_pictures").glob("*.tar")}


def test_pictures_are_drawn_once_and_drawn_anew_for_other_parameters(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    result = run_stage("captioned_pictures", asked(num_pictures=1003), tmp_path, lambda *done: told.append(done))
    assert (result.num_in, result.num_out) == (1003, 1003) and told[-1] == (1003, 1003)
    first = tars(tmp_path)
    assert set(first) == {"00000.tar", "00001.tar"}
    run_stage("captioned_pictures", asked(num_pictures=1003), tmp_path)
    assert tars(tmp_path) == first
    run_stage("captioned_pictures", asked(num_pictures=4), tmp_path)
    assert set(tars(tmp_path)) == {"00000.tar"}
    found = open_captioned_pictures(tmp_path / "data/captioned_pictures", tmp_path / "work")
    assert len(found) == 4 and found.caption(0) and found.boxes(0)


def test_a_persons_own_tars_stay_where_they_are_also_in_a_project_that_moves(tmp_path: Path) -> None:
    root = tmp_path / "project"
    write_captioned_pictures(root / "mine", [(tiny_image(n), f"a thing {n}", None) for n in range(2)], 1)
    with tarfile.open(root / "mine" / "00001.tar", "a") as tar:
        tar.add(root / "mine" / "00000.tar", "a_picture_without_caption.png")
    result = run_stage("captioned_pictures", asked(pictures="mine"), root)
    assert (result.num_in, result.num_out, result.rejected) == (3, 2, {INCOMPLETE: 1})
    made = root / "data/captioned_pictures"
    assert not tars(root) and (made / ELSEWHERE).read_text() == "../../mine\n"
    moved = shutil.move(root, tmp_path / "moved")
    found = open_captioned_pictures(Path(moved) / "data/captioned_pictures", tmp_path / "work")
    assert [found.caption(n) for n in range(2)] == ["a thing 0", "a thing 1"]


def test_after_own_pictures_tinyworlds_are_drawn_and_the_other_way_round(tmp_path: Path) -> None:
    write_captioned_pictures(tmp_path / "mine", [(tiny_image(0), "a thing", None)], 2)
    for _ in range(2):
        run_stage("captioned_pictures", asked(pictures=str(tmp_path / "mine")), tmp_path)
        assert len(open_captioned_pictures(tmp_path / "data/captioned_pictures", tmp_path / "work")) == 1
        run_stage("captioned_pictures", asked(num_pictures=2), tmp_path)
        assert len(open_captioned_pictures(tmp_path / "data/captioned_pictures", tmp_path / "work")) == 2


def test_bad_pictures_and_the_output_itself_are_refused_and_what_was_drawn_stays(tmp_path: Path) -> None:
    run_stage("captioned_pictures", asked(num_pictures=2), tmp_path)
    before = tars(tmp_path)
    for name, data in (
        ("bad", b"garbage" * 500),
        ("cut", (tmp_path / "data/captioned_pictures/00000.tar").read_bytes()[:3000]),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "00000.tar").write_bytes(data)
    (tmp_path / "link").symlink_to("data/captioned_pictures")
    for pictures, message in (
        ("bad", "00000.tar: no plain tar"),
        ("cut", "00000.tar: no plain tar, or cut|cut or damaged"),
        ("data/captioned_pictures", "where this stage writes"),
        ("data/captioned_pictures/00000.tar", "where this stage writes"),
        ("link", "where this stage writes"),
    ):
        with pytest.raises(BadInputError, match=message):
            run_stage("captioned_pictures", asked(pictures=pictures), tmp_path)
        assert tars(tmp_path) == before
    with (
        output_lock(tmp_path / "data/captioned_pictures", "another"),
        pytest.raises(UnavailableError, match="another is at work on it"),
    ):
        run_stage("captioned_pictures", asked(pictures="link"), tmp_path)


@pytest.mark.parametrize("number", [0, -1, 10**9])
def test_a_number_of_pictures_that_cannot_be_is_refused(number: int) -> None:
    with pytest.raises(BadInputError, match=f"num_pictures is {number}; it must be from 1 to"):
        asked(num_pictures=number)


@pytest.mark.parametrize(
    ("pictures", "message"),
    [
        ("", "captioned_pictures.pictures names nothing"),
        ("gone", "captioned_pictures.pictures is gone, but there is nothing"),
        ("empty", "no shard"),
    ],
)
def test_pictures_that_are_not_there_are_told_in_one_line(tmp_path: Path, pictures: str, message: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInputError, match=message) as error:
        run_stage("captioned_pictures", asked(pictures=pictures), tmp_path)
    assert "\n" not in str(error.value)
