import numpy as np
import pytest
from function_editors import editor_of, request
from PIL import Image
from tiny_models import tiny_image, tiny_pipeline

from editfoundry.editors.chosen_editor import ChosenEditor
from editfoundry.editors.edit_file import edit_file
from editfoundry.editors.editor import EditWords, WordedEdit
from editfoundry.editors.multi_turn import edit_turns, kept_where_alike, with_kept_pixels
from editfoundry.errors import BadInputError


def shaded(before, square, noise):
    """The picture with every value raised by ``noise``, and a white square at its middle where ``square``."""
    pixels = np.asarray(before).astype(int) + noise
    if square:
        pixels[28:36, 28:36] = 255
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


GREY = Image.new("RGB", (64, 64), (100, 100, 100))


def test_what_hardly_changed_keeps_its_pixels_and_what_changed_is_the_edit_s():
    edited = shaded(GREY, square=True, noise=5)
    kept, raw = np.asarray(kept_where_alike(GREY, edited)), np.asarray(edited)
    assert (kept[28:36, 28:36] == 255).all()
    far = np.ones((64, 64), bool)
    far[22:42, 22:42] = False
    # 5/255 is below 0.03, 10/255 is not.
    assert (kept[far] == 100).all() and (raw[far] == 105).all()
    stronger = shaded(GREY, square=False, noise=10)
    assert np.array_equal(kept_where_alike(GREY, stronger), stronger)
    assert np.array_equal(kept_where_alike(GREY, edited, keep_below=0), edited)


@pytest.mark.parametrize(("keep_below", "left"), [(0.03, 100), (0.0, 115)])
def test_a_turn_edits_what_the_turn_before_left_and_what_is_kept_does_not_drift(keep_below, left):
    asked = []

    def edit(requests):
        asked.extend(requests)
        return [shaded(one.image, square=False, noise=5) for one in requests]

    first = request(GREY, "one", 4, task="add", mask=GREY.convert("L"))
    made = [turn.require() for turn in edit_turns(editor_of(edit), first, ["two", "three"], keep_below)]
    assert [np.asarray(turn).max() for turn in made][-1] == left
    assert [one.instruction for one in asked] == ["one", "two", "three"]
    assert len({one.seed for one in asked}) == 3
    assert (asked[0].task, asked[1].task, asked[1].mask) == ("add", None, None)
    assert np.array_equal(asked[2].image, made[1])


def test_an_editor_that_reads_the_session_is_told_the_earlier_turns():
    asked = []

    def edit(requests):
        asked.extend(requests)
        return [one.image for one in requests]

    list(edit_turns(editor_of(edit, also_reads=("history",)), request(GREY, "one"), ["two", "three"]))
    assert [[turn.instruction for turn in one.history] for one in asked] == [[], ["one"], ["one", "two"]]


def test_a_command_s_turns_are_files_beside_the_last_and_an_empty_one_is_refused(tmp_path):
    tiny_pipeline().save_pretrained(tmp_path / "editor")
    tiny_image(0).save(tmp_path / "a.png")
    chosen = ChosenEditor(name=str(tmp_path / "editor"), device="cpu", options={"num_inference_steps": 2})
    edit_file(tmp_path / "a.png", "melt it", tmp_path / "out.png", chosen, later=["add a cat", "break it"])
    assert sorted(path.name for path in tmp_path.glob("out*")) == ["out.png", "out.turn1.png", "out.turn2.png"]
    with pytest.raises(BadInputError, match="instruction of a later turn is empty"):
        edit_file(tmp_path / "a.png", "melt it", tmp_path / "no.png", chosen, later=[" "])
    with pytest.raises(BadInputError, match="knows no tasks"):
        edit_file(tmp_path / "a.png", "melt it", tmp_path / "no.png", chosen, task="add")
    with pytest.raises(BadInputError, match="post-edit cannot be combined"):
        edit_file(tmp_path / "a.png", "melt it", tmp_path / "no.png", chosen, later=["add"], post_edit=True)
    with pytest.raises(BadInputError, match="--keep-below and the post-edit, .* cannot be combined"):
        edit_file(tmp_path / "a.png", "melt it", tmp_path / "no.png", chosen, keep_below=0.5, post_edit=True)
    assert not (tmp_path / "no.png").exists()


@pytest.fixture
def session(tmp_path):
    """What edits a picture as ``out.png`` in turns."""
    tiny_pipeline().save_pretrained(tmp_path / "editor")
    tiny_image(0).save(tmp_path / "a.png")
    chosen = ChosenEditor(name=str(tmp_path / "editor"), device="cpu", options={"num_inference_steps": 1})

    def run(*later, image="a.png", **options):
        return edit_file(tmp_path / image, "melt it", tmp_path / "out.png", chosen, later=later, **options)

    return run


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.glob("out*")}


def test_a_session_that_fails_in_its_middle_leaves_an_earlier_one_as_it_was(tmp_path, session, monkeypatch):
    session("add a cat")
    before, made = contents(tmp_path), []

    def fail_at_the_second(old, new, keep_below):
        made.append(new)
        if len(made) == 2:
            raise BadInputError("no room")
        return new

    monkeypatch.setattr("editfoundry.editors.multi_turn.kept_where_alike", fail_at_the_second)
    with pytest.raises(BadInputError, match="no room"):
        session("break it", seed=3)
    assert contents(tmp_path) == before


def test_a_shorter_session_removes_the_turns_of_a_longer_one_and_nothing_else(tmp_path, session):
    others = (
        "out.turn01.png",
        "out.turn2.jpg",
        "out.turnx.png",
        "out.turn3.png.txt",
        "xout.turn3.png",
        "out2.turn3.png",
    )
    for name in others:
        (tmp_path / name).write_bytes(b"mine")
    session("add a cat", "break it")
    session("add a cat")
    assert (tmp_path / "out.turn1.png").is_file() and not (tmp_path / "out.turn2.png").exists()
    # This one goes on from the session before.
    session(image="out.turn1.png")
    assert (tmp_path / "out.turn1.png").is_file()
    session()
    assert not (tmp_path / "out.turn1.png").exists()
    assert all((tmp_path / name).read_bytes() == b"mine" for name in others)


def test_an_editor_that_keeps_pixels_keeps_them_of_words_too_and_leaves_faults_to_be_refused():
    words = EditWords("task add (given)")
    outputs = {"plain": shaded(GREY, square=False, noise=5), "bad": "no picture"}
    outputs["worded"] = WordedEdit(outputs["plain"], words)
    outputs["small"] = GREY.resize((8, 8))
    keeping = with_kept_pixels(editor_of(lambda requests: [outputs[one.instruction] for one in requests]))
    made = {name: keeping.edit([request(GREY, name)])[0] for name in outputs}
    assert made["plain"].image == made["worded"].image == GREY and made["worded"].words == words
    assert (made["bad"].failure, made["small"].failure) == ("wrong-type", "wrong-size")
