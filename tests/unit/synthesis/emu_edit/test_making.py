"""Each task's own way to its pairs."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_emu import CONFIG, instruction

from editfoundry.data.edit_tasks import EditTask
from editfoundry.data.record import Caption
from editfoundry.diffusion.encoding import encode
from editfoundry.errors import Rejection
from editfoundry.pretrained.detector import FoundBox
from editfoundry.synthesis.emu_edit import attention_control
from editfoundry.synthesis.emu_edit.attention_control import edit_regions, edit_whole, restyle
from editfoundry.synthesis.emu_edit.captions_to_edits import TaskOfCaption, write_true_edits
from editfoundry.synthesis.emu_edit.first_pictures import EditDraw, FirstPictures, draws_of, paint_first
from editfoundry.synthesis.emu_edit.inpainting import change_background, take_away
from editfoundry.synthesis.emu_edit.made_pair import NOT_FOUND, MadePair
from editfoundry.synthesis.emu_edit.making import make_pairs
from editfoundry.synthesis.emu_edit.masks import FoundThing
from editfoundry.synthesis.emu_edit.models import EmuModels
from editfoundry.synthesis.emu_edit.readings import NO_SIGN, read_pictures, sketch_of
from editfoundry.synthesis.emu_edit.task_instruction import TaskInstruction
from editfoundry.synthesis.emu_edit.task_settings import RegionSettings
from editfoundry.tinyworld.captions import laion_rows
from editfoundry.tinyworld.colours import COLOURS


def thing(box: tuple[int, int, int, int] = (4, 4, 16, 14)) -> FoundThing:
    outline = np.zeros((32, 32), bool)
    outline[box[1] : box[3], box[0] : box[2]] = True
    return FoundThing(FoundBox(box, 0.9), outline, 1.0)


def first_of(models: EmuModels, *edits: TaskInstruction) -> FirstPictures:
    return paint_first(models, [draw for edit in edits for draw in draws_of(edit, CONFIG)], CONFIG)


def pixels(pair: MadePair) -> np.ndarray:
    return np.asarray(pair.second).astype(int)


def test_a_region_has_a_candidate_a_mask_and_outside_it_the_latents_are_the_first_pictures(
    emu_models: EmuModels, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = first_of(emu_models, instruction("local"))
    seen: list[torch.Tensor] = []
    decode = attention_control.decode
    monkeypatch.setattr(attention_control, "decode", lambda p, latents: (seen.append(latents), decode(p, latents))[1])
    made = edit_regions(emu_models, first, {0: thing(), 1: thing((16, 16, 28, 30))}, CONFIG)
    assert [pair.facts["mask"] for pair in made] == ["precise", "dilated", "box"] * 2
    assert [pair.draw.number for pair in made] == [0, 0, 0, 1, 1, 1]
    for row, pair in enumerate(made):
        assert pair.mask is not None
        outside = torch.nn.functional.adaptive_max_pool2d(torch.from_numpy(pair.mask)[None], (16, 16))[0] == 0
        own = first.latents[pair.draw.number]
        assert torch.equal(seen[0][row][:, outside], own[:, outside]) and outside.any()
        assert not torch.allclose(seen[0][row][:, ~outside], own[:, ~outside], atol=1e-3)
        assert 0.3 <= pair.facts["cross_share"] <= 0.9 and 4 <= pair.facts["guidance_scale"] <= 8


@pytest.mark.parametrize("task", ["local", "remove", "style", "global", "background"])
def test_a_candidate_is_the_same_alone_and_among_others(emu_models: EmuModels, task: str) -> None:
    def make(first: FirstPictures, rows: list[int]) -> list[MadePair]:
        if task == "background":
            return change_background(emu_models, first, {row: [thing()] for row in rows}, CONFIG)
        if task in ("local", "remove"):
            ways = {"local": edit_regions, "remove": take_away}
            return ways[task](emu_models, first, {row: thing() for row in rows}, CONFIG)
        return {"global": edit_whole, "style": restyle}[task](emu_models, first, rows, CONFIG)

    both = first_of(emu_models, instruction(task), instruction(task, "cup"))
    alone = first_of(emu_models, instruction(task, "cup"))
    together = make(both, list(range(len(both.draws))))
    for pair in make(alone, list(range(len(alone.draws)))):
        other = next(o for o in together if o.draw == pair.draw and o.facts == pair.facts)
        assert np.abs(pixels(pair) - pixels(other)).max() <= 1


def test_a_whole_picture_is_held_in_the_first_steps_alone(emu_models: EmuModels) -> None:
    first = first_of(emu_models, instruction("global"))
    held = replace(CONFIG, whole=replace(CONFIG.whole, blending=(1.0, 1.0)))
    free = replace(CONFIG, whole=replace(CONFIG.whole, blending=(0.0, 0.0)))
    [kept], [changed] = (edit_whole(emu_models, first, [0], config) for config in (held, free))
    assert np.array_equal(pixels(kept), np.asarray(first.images[0]).astype(int))
    assert np.abs(pixels(changed) - pixels(kept)).max() > 1


def test_a_region_that_is_never_held_does_not_depend_on_its_mask(emu_models: EmuModels) -> None:
    first = first_of(emu_models, instruction("local"))
    never, always = (replace(CONFIG, region=replace(CONFIG.region, blending=(at, at))) for at in (1.0, 0.0))
    precise, *wider = edit_regions(emu_models, first, {0: thing()}, never)
    assert wider and all(np.abs(pixels(pair) - pixels(precise)).max() <= 1 for pair in wider)
    held = edit_regions(emu_models, first, {0: thing()}, always)[0]
    assert np.abs(pixels(held) - pixels(precise)).max() > 1


def test_what_is_added_stands_in_the_output_and_the_input_is_made_of_it(emu_models: EmuModels) -> None:
    edit = instruction("add")
    first = first_of(emu_models, edit)
    assert first.draws[0].edit.first_caption == edit.output
    made = take_away(emu_models, first, {0: thing()}, CONFIG)
    assert all(pair.after is first.images[0] and pair.second is pair.before for pair in made)


def test_a_thing_that_is_not_found_leaves_a_rejection_and_the_rest_goes_on(emu_models: EmuModels) -> None:
    strict = replace(CONFIG, masks=replace(CONFIG.masks, detector_threshold=1.0))
    local, colour = make_pairs(emu_models, [instruction("local"), instruction("color")], strict)
    assert [pair.rejection.reason for pair in local if pair.rejection] == [NOT_FOUND] * 2
    assert len(colour) == 1 and colour[0].rejection is None


def test_a_draws_settings_follow_from_its_seed_alone(emu_models: EmuModels) -> None:
    first = first_of(emu_models, instruction("local"))
    for row, draw in enumerate(first.draws):
        generator = torch.Generator().manual_seed(draw.seed)
        noise = torch.randn(first.latents.shape[1:], generator=generator)
        assert torch.equal(first.noise.latents[row], noise)
        assert torch.equal(first.uniform[row], torch.rand(4, generator=generator))
    assert len({draw.seed for draw in first.draws}) == RegionSettings(num_draws=2).num_draws


def read(models: EmuModels, task: str, edit: str, **changes: object) -> MadePair:
    asked = replace(instruction("color"), task=EditTask(task), edit=edit, **changes)  # type: ignore[arg-type]
    draw = EditDraw(asked, 0, 1)
    first = paint_first(models, [draw], CONFIG)
    [pair] = read_pictures(models, first, [0], {0: thing()})
    return pair


def test_readings_are_made_of_the_picture_itself(emu_models: EmuModels) -> None:
    boxed = read(emu_models, "detect", "Draw a red box around the green cat.", original_object="green cat")
    changed = (np.asarray(boxed.before) != np.asarray(boxed.after)).any(-1)
    assert changed.any() and not changed[7:11, 8:12].any() and not changed[20:].any()
    covered = read(emu_models, "segment", "Cover the red cat in white.", original_object="red cat")
    inside = np.asarray(covered.after)[thing().outline]
    assert (inside == inside[0]).all() and (inside[0] > 200).all()
    darker = read(emu_models, "color", "Make it darker.")
    np.testing.assert_allclose(np.asarray(darker.after), np.asarray(darker.before) * 0.5, atol=1)
    depth = np.asarray(read(emu_models, "depth", "Show the depth map.").after)
    assert depth.min() == 0 and depth.max() == 255 and (depth[..., 0] == depth[..., 1]).all()


def test_a_map_that_becomes_a_picture_is_the_input(emu_models: EmuModels) -> None:
    back = read(emu_models, "canny", "Turn the edges into a picture.", reads_output=True)
    assert set(np.unique(np.asarray(back.before))) <= {0, 255} and len(np.unique(np.asarray(back.after))) > 2


@pytest.mark.parametrize(
    ("task", "edit", "reason"),
    [
        ("color", "Make it jolly.", "no colour change that is known"),
        ("color", "Make it darker, not brighter.", "no colour change that is known"),
        ("segment", "Cover the cat.", "no colour named"),
        ("segment", "Cover the cat in red or blue.", "no colour named"),
        ("text", "Write OPEN.", "no sign that can be drawn"),
    ],
)
def test_what_cannot_be_read_is_a_rejection(emu_models: EmuModels, task: str, edit: str, reason: str) -> None:
    rejection = read(emu_models, task, edit, original_object="cat").rejection
    assert isinstance(rejection, Rejection) and rejection.reason == reason


def reading_of(edit: TaskInstruction, picture: np.ndarray) -> np.ndarray | Rejection:
    """Return what is read in a picture, without a model."""
    first = SimpleNamespace(draws=[EditDraw(edit, 0, 1)], images=[Image.fromarray(picture)], is_finite=[True])
    models = cast(EmuModels, SimpleNamespace(depth=None))
    [pair] = read_pictures(models, cast(FirstPictures, first), [0], {0: thing()})
    return np.asarray(pair.second) if pair.rejection is None else pair.rejection


def told(task: str, caption: str, edit: str, output: str, original_object: str = "") -> TaskInstruction:
    return TaskInstruction(
        task=EditTask(task),
        caption=caption,
        edit=edit,
        output=output,
        original_object=original_object,
        edited_object="",
        source="test",
    )


@pytest.mark.parametrize("position", ["left", "middle", "right"])
def test_a_word_for_which_a_sign_has_no_room_is_a_rejection(position: str) -> None:
    picture = np.zeros((64, 64, 3), np.uint8)
    for word, fits in (("CHOCOLATE", True), ("RESTAURANT", False), ("CONGRATULATIONS", False)):
        place = f"{'in' if position == 'middle' else 'on'} the {position}"
        edit = told("text", "a cat", "Hang up a sign.", f'a cat with a white sign {place} that says "{word}" in red')
        made = reading_of(edit, picture)
        assert isinstance(made, np.ndarray) if fits else isinstance(made, Rejection) and made.reason == NO_SIGN


def test_words_about_the_picture_itself_are_not_taken_for_what_is_made_of_it() -> None:
    picture = np.full((64, 64, 3), (200, 100, 50), np.uint8)
    cat = "a black and white cat"
    darker = reading_of(told("color", cat, "Make the picture darker.", f"a darker picture of {cat}"), picture)
    np.testing.assert_array_equal(darker, picture // 2)
    grey = reading_of(told("color", cat, "Make it black and white.", f"a black and white picture of {cat}"), picture)
    assert isinstance(grey, np.ndarray) and len(np.unique(grey)) == 1
    sharp = reading_of(told("color", "a blurry cup", "Make the blurry picture sharp.", "a sharp cup"), picture)
    assert isinstance(sharp, Rejection)
    for caption, output in (("a blue cup", "a blue cup in a red box"), ("a red cup", "a red cup in a red box")):
        made = reading_of(told("detect", caption, f"Draw a red box around the {caption[2:]}.", output, "cup"), picture)
        assert isinstance(made, np.ndarray) and (made == COLOURS["red"]).all(axis=-1).any()


@pytest.mark.parametrize("task", ["color", "detect", "segment", "text"])
def test_every_true_edit_can_be_read(task: str) -> None:
    captions = [Caption(caption=str(row["TEXT"]), url=str(row["URL"])) for row in laion_rows(60, 1)]
    edits, _ = write_true_edits([TaskOfCaption(0, caption, EditTask(task)) for caption in captions], 0)
    picture = np.full((64, 64, 3), 100, np.uint8) if task == "text" else np.full((32, 32, 3), 100, np.uint8)
    unread = [edit.edit for edit in edits if isinstance(reading_of(edit, picture), Rejection)]
    assert not unread and len(edits) > 30


def test_a_sketch_has_lines_where_the_picture_changes_and_paper_elsewhere() -> None:
    picture = np.zeros((16, 16, 3), np.uint8)
    picture[:, 8:] = 200
    sketch = sketch_of(picture)
    assert (sketch[:, :6] == 255).all() and (sketch[:, 10:] == 255).all() and sketch[:, 7:9].min() < 60


def test_a_first_picture_is_painted_from_its_own_caption(emu_models: EmuModels) -> None:
    first = first_of(emu_models, instruction("style"), instruction("style", "egg"))
    assert encode(emu_models.painter, list(first.images)).shape == first.latents.shape
    assert not torch.allclose(first.latents[0], first.latents[1])
