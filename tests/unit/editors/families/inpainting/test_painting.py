"""Inpainting touches the mask alone, at any size, with painters that see the mask and painters that do not."""

import numpy as np
import pytest
from diffusers import StableDiffusionInpaintPipeline
from function_editors import request
from PIL import Image, ImageDraw
from tiny_models import tiny_image, tiny_pipeline
from tiny_painter import save_models

from editfoundry.editors.families.inpainting.cropping import masked_crop
from editfoundry.editors.open_editor import open_editor
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.profiles import ModelReference, Profile, load_profile

RUNTIME = choose_runtime("cpu")
SIZES = [(32, 32), (150, 70), (33, 200), (5, 7)]


def hole(size, box, level=255):
    mask = Image.new("L", size)
    ImageDraw.Draw(mask).rectangle((box[0], box[1], box[2] - 1, box[3] - 1), fill=level)
    return mask


def middle(size):
    return hole(size, (size[0] // 3, size[1] // 3, 2 * size[0] // 3 + 1, 2 * size[1] // 3 + 1))


@pytest.fixture(scope="module")
def blended(tmp_path_factory):
    profile = load_profile(save_models(tmp_path_factory.mktemp("blended")))
    return open_editor("inpainting", RUNTIME, profile, num_inference_steps=2)


@pytest.fixture(scope="module")
def seeing(tmp_path_factory):
    parts = tiny_pipeline(in_channels=9).components
    parts.pop("image_encoder", None)
    folder = tmp_path_factory.mktemp("seeing")
    StableDiffusionInpaintPipeline(**parts, requires_safety_checker=False).save_pretrained(folder)
    return open_editor(str(folder), RUNTIME, num_inference_steps=2)


def test_the_profile_s_inpainter_is_an_editor_of_its_own_name_and_its_weights_tell_its_edits_apart(seeing):
    folder = seeing.source.folder
    models = {"inpainter": ModelReference(role="inpainter", source=str(folder))}
    named = open_editor("inpainter", RUNTIME, Profile(name="mine", models=models), num_inference_steps=2)
    asked = [request(tiny_image(1, (32, 32)), "a red cup", mask=middle((32, 32)))]
    edits = [np.asarray(editor.edit(asked)[0].require()) for editor in (named, seeing)]
    assert (edits[0] == edits[1]).all()
    assert named.source.identity and str(models["inpainter"]) in named.source.identity


@pytest.fixture(params=["blended", "seeing"])
def editor(request):
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("size", SIZES)
def test_outside_the_mask_every_pixel_is_the_input_s_and_inside_it_is_painted(editor, size):
    picture, mask = tiny_image(1, size), middle(size)
    edited = np.asarray(editor.edit([request(picture, "a red cup", mask=mask)])[0].require())
    inside = np.asarray(mask) > 0
    assert (edited[~inside] == np.asarray(picture)[~inside]).all()
    assert (edited[inside] != np.asarray(picture)[inside]).any()


def test_a_batch_of_all_sizes_gives_what_each_gives_alone(editor):
    asked = [request(tiny_image(n, size), "a red cup", mask=middle(size), seed=n) for n, size in enumerate(SIZES)]
    together = [edit.require() for edit in editor.edit(asked)]
    for alone, shared in zip(asked, together, strict=True):
        difference = np.asarray(editor.edit([alone])[0].require(), dtype=int) - np.asarray(shared)
        assert np.abs(difference).max() <= 1


def test_the_prompt_and_the_seed_matter_and_a_grey_edge_is_a_blend(blended):
    picture, mask = tiny_image(1, (32, 32)), hole((32, 32), (8, 8, 24, 24))
    made = {key: np.asarray(blended.edit([request(picture, key[0], mask=mask, seed=key[1])])[0].require(), dtype=int)
            for key in (("a cup", 0), ("a cup", 1), ("a dog", 0))}  # fmt: skip
    assert (made["a cup", 0] != made["a cup", 1]).any() and (made["a cup", 0] != made["a dog", 0]).any()
    soft = mask.copy()
    soft.putpixel((10, 10), 128)
    mixed = np.asarray(blended.edit([request(picture, "a cup", mask=soft)])[0].require(), dtype=int)[10, 10]
    own, painted = np.asarray(picture, dtype=int)[10, 10], made["a cup", 0][10, 10]
    assert np.abs(mixed - (own * 127 + painted * 128) / 255).max() <= 1


@pytest.mark.parametrize("width", [1, 8])
def test_a_line_that_is_thin_at_the_model_s_size_is_painted_by_the_prompt_and_stays_a_line(editor, width):
    picture, mask = tiny_image(1, (320, 320)), Image.new("L", (320, 320))
    ImageDraw.Draw(mask).line((20, 163, 300, 168), fill=255, width=width)
    made = [np.asarray(editor.edit([request(picture, text, mask=mask)])[0].require()) for text in ("a cup", "a dog")]
    inside = np.asarray(mask) > 0
    assert (made[0] != made[1]).any(-1)[inside].mean() > 0.5
    assert all((one[~inside] == np.asarray(picture)[~inside]).all() for one in made)


@pytest.mark.parametrize("size", [(32, 32), (320, 320)])
def test_a_model_that_sees_the_mask_is_shown_a_line_of_one_pixel_in_every_latent_on_it(seeing, monkeypatch, size):
    seen = []
    monkeypatch.setattr(type(seeing.model), "__call__", lambda *_, mask_image, **__: (seen.extend(mask_image), 1 / 0))
    mask = Image.new("L", size)
    ImageDraw.Draw(mask).line((0, size[1] // 2 + 1, size[0], size[1] // 2 + 1), fill=255)
    with pytest.raises(ZeroDivisionError):
        seeing.edit([request(tiny_image(1, size), "a cup", mask=mask)])[0].require()
    factor = seeing.model.vae_scale_factor
    assert (np.asarray(seen[0])[::factor, ::factor] > 0).any(0).all()


def test_a_full_mask_paints_the_whole_picture_and_an_empty_one_is_rejected(editor):
    picture = tiny_image(1, (32, 32))
    full = editor.edit([request(picture, "a cup", mask=Image.new("L", (32, 32), 255))])[0].require()
    assert (np.asarray(full) != np.asarray(picture)).any(axis=-1).mean() > 0.9
    empty, none, dim = editor.edit(
        [request(picture, "a cup", mask=m) for m in (Image.new("L", (32, 32)), None, Image.new("L", (32, 32), 100))]
    )
    assert (empty.failure, none.failure, dim.failure) == ("empty-mask", "no-mask", "empty-mask")


def test_the_crop_holds_mask_and_context_lies_in_the_picture_and_is_never_smaller_than_the_model_s_size():
    def box(size, mask_box, context=0.5, least=64):
        return masked_crop(request(Image.new("RGB", size), mask=hole(size, mask_box)), context, least).box

    assert box((1000, 800), (400, 300, 500, 350)) == (350, 225, 550, 425)
    assert box((1000, 800), (0, 0, 100, 100)) == (0, 0, 200, 200)
    assert box((1000, 800), (990, 790, 1000, 800)) == (936, 736, 1000, 800)
    assert box((1000, 50), (400, 0, 500, 50)) == (350, 0, 550, 50)
    assert box((1000, 800), (0, 0, 1000, 800)) == (0, 0, 1000, 800)
    assert box((1000, 800), (400, 300, 500, 350), context=1.7e308) == (0, 0, 1000, 800)
