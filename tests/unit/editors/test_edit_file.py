import json
import shutil

import numpy as np
import pytest
from diffusers import StableDiffusionInpaintPipeline
from PIL import Image, ImageOps
from tiny_models import tiny_image, tiny_pipeline
from tiny_painter import save_models

from editfoundry.editors.chosen_editor import ChosenEditor
from editfoundry.editors.edit_file import edit_file, sweep_file
from editfoundry.editors.inpaint_file import MaskWords, inpaint_file
from editfoundry.editors.masks import box_mask
from editfoundry.editors.open_editor import find_editor
from editfoundry.errors import BadInputError
from editfoundry.profiles import load_profile

OPTIONS = {"num_inference_steps": 2, "guidance_scale": 3.0, "image_guidance_scale": 1.5}


@pytest.fixture(scope="module")
def editor(tmp_path_factory):
    folder = tmp_path_factory.mktemp("editor")
    tiny_pipeline().save_pretrained(folder)
    return str(folder)


def edit(image, out, editor, instruction="melt it", seed=0):
    return edit_file(
        image, instruction, out, ChosenEditor(name=editor, device="cpu", options=OPTIONS), seed=seed
    ).editor


PICTURES = {
    "one pixel": ("a.png", Image.new("RGB", (1, 1), "red")),
    "cmyk": ("a.jpg", tiny_image(0, (20, 30)).convert("CMYK")),
    "16 bit": ("a.png", Image.fromarray(np.arange(600, dtype=np.uint16).reshape(20, 30) * 100)),
    "alpha": ("a.png", tiny_image(0, (31, 17)).convert("RGBA")),
    "long": ("a.png", tiny_image(0, (300, 2))),
}


@pytest.mark.parametrize("kind", PICTURES)
def test_odd_pictures_are_edited_at_their_own_size(tmp_path, editor, kind):
    name, picture = PICTURES[kind]
    picture.save(tmp_path / name)
    assert edit(tmp_path / name, tmp_path / "new" / "out.png", editor) == editor
    with Image.open(tmp_path / "new" / "out.png") as edited:
        assert (edited.size, edited.mode) == (picture.size, "RGB")


def test_the_same_seed_gives_the_same_file_and_another_seed_another(tmp_path, editor):
    tiny_image(0).save(tmp_path / "a.png")
    for name, seed in (("one", 0), ("two", 0), ("three", 1)):
        edit(tmp_path / "a.png", tmp_path / f"{name}.webp", editor, seed=seed)
    one, two, three = ((tmp_path / f"{name}.webp").read_bytes() for name in ("one", "two", "three"))
    assert one == two != three


def test_a_failed_edit_leaves_the_output_as_it_was(tmp_path, editor):
    tiny_image(0, (200, 200)).save(tmp_path / "a.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "a.png").read_bytes()[:5000])
    (tmp_path / "out.png").write_bytes(b"earlier")
    for image, instruction, out, chosen, message in (
        ("cut.png", "melt it", "out.png", editor, "cut.png: truncated"),
        ("gone.png", "melt it", "out.png", editor, "no such image file"),
        ("a.png", " ", "out.png", editor, "the instruction is empty"),
        ("a.png", "melt it", "out.svg", editor, "cannot write .svg"),
        ("a.png", "melt it", "out.png", str(tmp_path), "no editor here"),
        ("a.png", "melt it", "a.png/out.png", editor, "cannot be written"),
    ):
        with pytest.raises(BadInputError, match=message):
            edit(tmp_path / image, tmp_path / out, chosen, instruction)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "cut.png", "out.png"]
    assert (tmp_path / "out.png").read_bytes() == b"earlier"


@pytest.fixture
def nothing_is_loaded(monkeypatch):
    def load(*_):
        raise AssertionError("the editor was loaded, though the edit had to be refused")

    monkeypatch.setattr("editfoundry.editors.open_editor.open_source", load)


@pytest.mark.parametrize(
    ("out", "options", "message"),
    [
        ("a.png/o.png", {}, "a.png/o.png: cannot be written: .*a.png is no folder"),
        ("folder.png", {}, "folder.png: cannot be written: it is a folder"),
        ("o" * 250 + ".png", {}, "cannot be written: .*too long"),
        ("a.png", {}, "a.png: would be written over, but it is an input"),
        ("folder.png/../a.png", {}, "would be written over, but it is an input"),
        (
            "a.png",
            {"image": "o.turn1.png", "out": "o.png", "later": ["it snows"]},
            "o.turn1.png: would be written over",
        ),
        ("o.png", {"explain": "a.png"}, "a.png/01-input.png: cannot be written: .*a.png is no folder"),
        ("e/sheet.png", {"explain": "e"}, "sheet.png: would be written twice"),
        ("o.png", {"image": "folder.png/10-result.png", "explain": "folder.png"}, "10-result.png: would be written ov"),
    ],
)
def test_an_output_that_cannot_be_or_takes_an_input_s_place_is_refused_before_anything_is_loaded(
    tmp_path, editor, nothing_is_loaded, out, options, message
):
    (tmp_path / "folder.png").mkdir()
    image, out = tmp_path / options.pop("image", "a.png"), tmp_path / options.pop("out", out)
    tiny_image(0).save(image)
    before = sorted(tmp_path.rglob("*"))
    if "explain" in options:
        options = {"explain": tmp_path / options["explain"]}
    with pytest.raises(BadInputError, match=message):
        edit_file(image, "melt it", out, ChosenEditor(name=editor), **options)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_mask_is_no_output_and_its_file_stays(tmp_path, nothing_is_loaded):
    picture = tiny_image(0)
    picture.save(tmp_path / "a.png")
    box_mask("1,1,9,9", picture).save(tmp_path / "mask.png")
    with pytest.raises(BadInputError, match="mask.png: would be written over, but it is an input"):
        inpaint_file(tmp_path / "a.png", tmp_path / "mask.png", "a cup", tmp_path / "mask.png", ChosenEditor())


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ("mask", "knows no masks: leave --mask out"),
        ("input_caption", "leave --input-caption out"),
        ("output_caption", "edits by no caption: leave --output-caption out"),
        ("task", "knows no tasks: leave --task out"),
    ],
)
def test_what_the_editor_does_not_look_at_is_refused(tmp_path, editor, nothing_is_loaded, part, message):
    picture = tiny_image(0)
    picture.save(tmp_path / "a.png")
    box_mask("1,1,9,9", picture).save(tmp_path / "mask.png")
    given = {part: tmp_path / "mask.png" if part == "mask" else "add"}
    with pytest.raises(BadInputError, match=message):
        edit_file(tmp_path / "a.png", "melt it", tmp_path / "o.png", ChosenEditor(name=editor), **given)


@pytest.mark.parametrize(("name", "needs"), [("inpainter", "mask"), ("sdedit", "output caption")])
def test_later_turns_of_an_editor_that_needs_more_than_an_instruction_are_refused(
    tmp_path, nothing_is_loaded, name, needs
):
    picture = tiny_image(0)
    picture.save(tmp_path / "a.png")
    box_mask("1,1,9,9", picture).save(tmp_path / "mask.png")
    given = {"mask": tmp_path / "mask.png"} if name == "inpainter" else {"output_caption": "a cup"}
    with pytest.raises(BadInputError, match=f"edits by {needs}.*, which the first turn alone has: leave --then out"):
        edit_file(tmp_path / "a.png", "a cup", tmp_path / "o.png", ChosenEditor(name=name), later=["a dog"], **given)
    assert not list(tmp_path.glob("o*"))


@pytest.mark.parametrize("seed", [2**64, -(2**63) - 1, 99999999999999999999])
def test_a_seed_beyond_64_bits_is_refused(tmp_path, editor, nothing_is_loaded, seed):
    tiny_image(0).save(tmp_path / "a.png")
    image, out, chosen = tmp_path / "a.png", tmp_path / "o.png", ChosenEditor(name=editor)
    scales = {"guidance_scales": [7.5], "image_guidance_scales": [1.5]}
    for make in (
        lambda: edit_file(image, "melt it", out, chosen, seed=seed),
        lambda: inpaint_file(image, "1,1,9,9", "a cup", out, ChosenEditor(), seed=seed),
        lambda: sweep_file(image, "melt it", out, chosen, seed=seed, **scales),
    ):
        with pytest.raises(BadInputError, match=f"--seed is {seed}, but must be in"):
            make()


def test_words_that_are_no_utf8_are_refused_in_one_line(tmp_path, editor, nothing_is_loaded):
    tiny_image(0).save(tmp_path / "a.png")
    image, out, chosen, bad = tmp_path / "a.png", tmp_path / "o.png", ChosenEditor(name=editor), "\udcff bad"
    scales = {"guidance_scales": [7.5], "image_guidance_scales": [1.5]}
    for make, what in (
        (lambda: edit_file(image, bad, out, chosen), "the instruction"),
        (lambda: edit_file(image, "x", out, chosen, later=["y", bad]), "--then"),
        (lambda: edit_file(image, "x", out, chosen, input_caption=bad), "--input-caption"),
        (lambda: edit_file(image, "x", out, chosen, output_caption=bad), "--output-caption"),
        (lambda: sweep_file(image, bad, out, chosen, **scales), "the instruction"),
        (lambda: inpaint_file(image, "1,1,9,9", bad, out, ChosenEditor()), "the prompt"),
        (lambda: inpaint_file(image, MaskWords(words=bad), "x", out, ChosenEditor()), "--what"),
    ):
        with pytest.raises(BadInputError, match=f"^{what} is not UTF-8 text: type it again"):
            make()


def test_the_last_seed_has_a_next_turn(tmp_path, editor):
    tiny_image(0).save(tmp_path / "a.png")
    chosen = ChosenEditor(name=editor, device="cpu", options={"num_inference_steps": 1})
    edit_file(tmp_path / "a.png", "melt it", tmp_path / "o.png", chosen, seed=2**64 - 1, later=["it snows"])
    assert (tmp_path / "o.png").is_file() and (tmp_path / "o.turn1.png").is_file()


def test_numbers_that_are_not_finite_are_refused_before_anything_is_loaded(tmp_path, editor, nothing_is_loaded):
    tiny_image(0).save(tmp_path / "a.png")
    image, out, chosen = tmp_path / "a.png", tmp_path / "o.png", ChosenEditor(name=editor)
    nan = float("nan")
    words = MaskWords(words="cup", threshold=nan)
    for make, message in (
        (lambda: edit_file(image, "x", out, chosen, keep_below=nan), "--keep-below is nan"),
        (lambda: edit_file(image, "x", out, ChosenEditor(name=editor, options={"guidance_scale": nan})), "e is nan"),
        (lambda: inpaint_file(image, words, "x", out, ChosenEditor()), "--threshold is nan"),
        (
            lambda: inpaint_file(image, "1,1,9,9", "x", out, ChosenEditor(options={"context": float("inf")})),
            "context is inf, but must be a finite number",
        ),
    ):
        with pytest.raises(BadInputError, match=message):
            make()


@pytest.mark.parametrize(
    ("instruction", "scales", "message"),
    [
        (" ", ([7.5], [1.5]), "the instruction is empty"),
        ("x", ([7.5, float("inf")], [1.5]), "guidance_scale is inf, but must be a finite number"),
        ("x", ([7.5], [float("nan")]), "image_guidance_scale is nan, but must be a finite number"),
    ],
)
def test_a_sweep_is_refused_for_what_an_edit_is(tmp_path, editor, nothing_is_loaded, instruction, scales, message):
    tiny_image(0).save(tmp_path / "a.png")
    named = dict(zip(("guidance_scales", "image_guidance_scales"), scales, strict=True))
    with pytest.raises(BadInputError, match=message):
        sweep_file(tmp_path / "a.png", instruction, tmp_path / "o.png", ChosenEditor(name=editor), **named)


def test_an_editor_that_edits_by_captions_takes_them_and_asks_for_them(tmp_path):
    profile = save_models(tmp_path / "models")
    tiny_image(0).save(tmp_path / "a.png")
    chosen = ChosenEditor(name="sdedit", profile=str(profile), device="cpu", options={"num_inference_steps": 2})
    with pytest.raises(BadInputError, match="no-caption: .*a.png has no output_caption, which sdedit edits by"):
        edit_file(tmp_path / "a.png", "melt it", tmp_path / "out.png", chosen)
    edited = edit_file(tmp_path / "a.png", "melt it", tmp_path / "out.png", chosen, output_caption="a cat")
    assert (edited.editor, edited.words) == ("sdedit", None)
    tiny_image(0, (8, 8)).save(tmp_path / "mask.png")
    with pytest.raises(BadInputError, match="the mask is 8x8, but the picture is 32x32"):
        edit_file(tmp_path / "a.png", "melt it", tmp_path / "out.png", chosen, mask=tmp_path / "mask.png")


def test_an_editor_made_for_other_pictures_warns_in_one_line_and_edits(tmp_path, editor, capsys):
    shutil.copytree(editor, tmp_path / "small")
    defaults = {"made_for": "tinyworld's drawn pictures of 32 pixels", "side": 32}
    (tmp_path / "small" / "editing.json").write_text(json.dumps(defaults))
    for size, num_lines in (((32, 32), 0), ((64, 48), 1)):
        tiny_image(0, size).save(tmp_path / "photo.png")
        edit(tmp_path / "photo.png", tmp_path / "out.png", str(tmp_path / "small"))
        told = capsys.readouterr().err
        assert told.count("\n") == num_lines
        assert (tmp_path / "out.png").is_file()
    assert told.startswith("warning: ") and "photo.png is 64x48" in told and "knows nothing but tinyworld's" in told


def test_a_shipped_editor_says_which_pictures_it_knows_and_samples_in_few_steps():
    for name in ("package:editor_base", "package:editworld"):
        source = find_editor(name)
        assert "tinyworld" in source.defaults.made_for and source.defaults.side == 64
        assert source.options({}).num_inference_steps <= 20
    assert find_editor("base", load_profile("embedded")).defaults == find_editor("package:editor_base").defaults
    assert find_editor("base", load_profile("paper")).options({}).num_inference_steps == 100


def test_inpainting_a_file_keeps_what_is_outside_the_box_and_warns_of_foreign_pictures_and_turned_masks(
    tmp_path, capsys
):
    picture = tiny_image(0, (90, 70))
    picture.save(tmp_path / "a.png")
    box_mask("20,20,50,40", picture).save(tmp_path / "mask.png")
    ImageOps.invert(box_mask("20,20,50,40", picture)).save(tmp_path / "turned.png")
    chosen = ChosenEditor(device="cpu", options={"num_inference_steps": 1})

    def painted(mask, **options):
        used = inpaint_file(tmp_path / "a.png", mask, "a cup", tmp_path / "o.png", chosen, **options)
        assert used == "package:inpainter"
        return np.asarray(Image.open(tmp_path / "o.png"))

    by_box = painted("20,20,50,40")
    outside = np.asarray(box_mask("20,20,50,40", picture)) == 0
    assert (by_box[outside] == np.asarray(picture)[outside]).all() and (by_box != np.asarray(picture)).any()
    assert "knows nothing but tinyworld's drawn pictures" in capsys.readouterr().err
    assert (painted(tmp_path / "mask.png") == by_box).all()
    assert (painted(tmp_path / "turned.png", is_inverted=True) == by_box).all()
    assert "--invert" not in capsys.readouterr().err
    painted(tmp_path / "turned.png")
    assert "add --invert" in capsys.readouterr().err


def test_a_transparent_picture_stays_so_outside_the_mask_and_is_opaque_in_it(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (48, 64, 4), dtype=np.uint8)
    pixels[:, :20, 3] = 0
    Image.fromarray(pixels).save(tmp_path / "a.png")
    mask = box_mask("10,10,50,40", Image.new("RGB", (64, 48)))
    mask.paste(128, (10, 10, 20, 40))
    mask.save(tmp_path / "mask.png")
    chosen = ChosenEditor(device="cpu", options={"num_inference_steps": 1})
    made = {}
    for kind in ("png", "webp", "jpg"):
        inpaint_file(tmp_path / "a.png", tmp_path / "mask.png", "a cup", tmp_path / f"o.{kind}", chosen)
        made[kind] = Image.open(tmp_path / f"o.{kind}")
    assert [made[kind].mode for kind in made] == ["RGBA", "RGBA", "RGB"]
    painted, levels = np.asarray(made["png"]), np.asarray(mask)
    assert (painted[levels == 0] == pixels[levels == 0]).all()
    assert (painted[levels == 255][:, 3] == 255).all()
    # Where nothing was, what is painted is as opaque as the mask is white.
    assert (painted[10:40, 10:20, 3] == 128).all()


def test_a_profile_s_inpainter_paints_where_no_editor_is_named_and_words_need_a_detector(tmp_path):
    parts = tiny_pipeline(in_channels=9).components
    parts.pop("image_encoder", None)
    folder = tmp_path / "inpainter"
    StableDiffusionInpaintPipeline(**parts, requires_safety_checker=False).save_pretrained(folder)
    profile = tmp_path / "mine.toml"
    profile.write_text(f'[inpainter]\nmodel = "{folder}"\n')
    tiny_image(0).save(tmp_path / "a.png")
    chosen = ChosenEditor(device="cpu", profile=str(profile), options={"num_inference_steps": 1})
    assert inpaint_file(tmp_path / "a.png", "1,1,9,9", "a cup", tmp_path / "o.png", chosen) == str(folder)
    with pytest.raises(BadInputError, match="--what needs the role 'detector'"):
        inpaint_file(tmp_path / "a.png", MaskWords(words="the cup"), "a dog", tmp_path / "o.png", chosen)


def test_an_editor_without_a_mask_cannot_inpaint_and_an_empty_prompt_is_refused(tmp_path, editor):
    tiny_image(0).save(tmp_path / "a.png")
    for name, prompt, message in ((editor, "a cup", "takes no mask"), (None, " ", "the prompt is empty")):
        with pytest.raises(BadInputError, match=message):
            inpaint_file(
                tmp_path / "a.png", "1,1,9,9", prompt, tmp_path / "o.png", ChosenEditor(name=name, device="cpu")
            )
