from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_models import psnr, tiny_image, tiny_pipeline
from tiny_painter import tiny_painter
from tiny_sam import tiny_sam_config
from tiny_sdxl import save_branch

from editfoundry.editors.editor import EditRequest
from editfoundry.editors.families.instruct_pix2pix.family import editor_of_pipeline
from editfoundry.editors.families.instruct_pix2pix.sampling import edit_images
from editfoundry.editors.post_edit.compositing import composite, feathered
from editfoundry.editors.post_edit.explain import write_explanation
from editfoundry.editors.post_edit.post_edit import post_edit_batch, post_edit_photo, with_post_edit
from editfoundry.editors.post_edit.post_edit_config import PostEditConfig
from editfoundry.editors.post_edit.post_edit_models import PostEditModels, load_post_edit_models
from editfoundry.editors.post_edit.regions import (
    best_overlap_mask,
    dilated,
    instruction_token_weights,
    overlap,
    region_points,
)
from editfoundry.errors import BadInputError
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.pretrained.segmenter import build_sam, save_sam
from editfoundry.profiles import load_profile

STEPS = {"num_inference_steps": 2}
# Attention and SAM of random weights see little: the region is what lies above the mean.
CONFIG = PostEditConfig(num_inference_steps=3, num_points=8, tau=1.0, dilation=0.0, min_overlap=0.6)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> PostEditModels:
    folder = tmp_path_factory.mktemp("post-edit")
    profile = save_branch(folder, tiny_painter())
    torch.manual_seed(0)
    sam = build_sam(tiny_sam_config())
    for parameter in sam.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    save_sam(sam, tiny_sam_config(), folder / "segmenter")
    with profile.open("a") as file:
        file.write(f'\n[segmenter]\nmodel = "{folder / "segmenter"}"\n')
    return load_post_edit_models(load_profile(profile), choose_runtime("cpu"))


def requests_of(images: list[Image.Image]) -> list[EditRequest]:
    texts = ("melt it", "add a cat")
    return [EditRequest(image=image, instruction=texts[n], seed=n + 1) for n, image in enumerate(images)]


def disc(centre: tuple[int, int], radius: int, size: int = 32) -> np.ndarray:
    ys, xs = np.mgrid[:size, :size]
    return (xs - centre[0]) ** 2 + (ys - centre[1]) ** 2 <= radius**2


def test_the_edit_is_sampled_once_and_outside_its_region_the_input_is_kept_to_the_pixel(models: PostEditModels) -> None:
    editor, calls = editor_of_pipeline(tiny_pipeline(), **STEPS), []
    hook = editor.model.unet.register_forward_hook(lambda *_: calls.append(1))
    images = [tiny_image(0), tiny_image(1)]
    made = post_edit_batch(editor, models, requests_of(images), CONFIG)
    hook.remove()
    assert len(calls) == STEPS["num_inference_steps"]
    alone = edit_images(editor.model, images, ["melt it", "add a cat"], seeds=[1, 2], **STEPS)
    for number, one in enumerate(made):
        assert psnr(one.generated, alone[number]) == float("inf")
        outside = ~one.edit_mask
        before, after = np.asarray(images[number]), np.asarray(one.image)
        assert outside.any() and np.array_equal(after[outside], before[outside])
        assert one.edit_mask.any() and not np.array_equal(after, before)
        union = one.generated_mask | one.original_mask
        assert np.array_equal(one.edit_mask & union, union)


def test_a_post_edit_is_the_same_alone_and_in_a_batch(models: PostEditModels) -> None:
    editor, requests = editor_of_pipeline(tiny_pipeline(), **STEPS), requests_of([tiny_image(0), tiny_image(1)])
    batch = post_edit_batch(editor, models, requests, CONFIG)
    [alone] = post_edit_batch(editor, models, requests[1:], CONFIG)
    assert np.array_equal(batch[1].edit_mask, alone.edit_mask) and psnr(batch[1].image, alone.image) >= 40


def test_each_image_is_embedded_by_sam_once(models: PostEditModels) -> None:
    calls: list[int] = []
    hook = models.segmenter.model.image_encoder.register_forward_hook(lambda *_: calls.append(1))
    post_edit_batch(editor_of_pipeline(tiny_pipeline(), **STEPS), models, requests_of([tiny_image(0)]), CONFIG)
    hook.remove()
    assert len(calls) == 2


@pytest.mark.parametrize(("name", "value"), [
    ("controlnet_conditioning_scale", 0.0), ("ip_adapter_scale", 0.0), ("strength", 1.0), ("guidance_scale", 1.0),
])  # fmt: skip
def test_edges_identity_strength_and_guidance_all_count_in_the_inpainting(
    models: PostEditModels, name: str, value: float
) -> None:
    def painted(**changes: float) -> Image.Image:
        config = replace(CONFIG, **changes)
        editor = editor_of_pipeline(tiny_pipeline(), **STEPS)
        return post_edit_batch(editor, models, requests_of([tiny_image(0)]), config)[0].inpainted

    assert psnr(painted(), painted()) == float("inf")
    assert not np.array_equal(np.asarray(painted()), np.asarray(painted(**{name: value})))


@pytest.mark.parametrize("size", [(75, 50), (20, 64)])
def test_a_photograph_keeps_its_own_pixels_outside_the_region(models: PostEditModels, size: tuple[int, int]) -> None:
    photo = tiny_image(4, size)
    editor = editor_of_pipeline(tiny_pipeline(), **STEPS)
    result, made = post_edit_photo(editor, models, EditRequest(image=photo, instruction="melt it"), CONFIG)
    assert result.size == size
    same = (np.asarray(result) == np.asarray(photo)).all(-1)
    assert same.mean() >= 0.5 * (~made.edit_mask).mean()


def test_an_editor_with_the_post_edit_is_an_editor_like_others(models: PostEditModels) -> None:
    plain = editor_of_pipeline(tiny_pipeline(), **STEPS)
    editor = with_post_edit(plain, models, CONFIG)
    requests = requests_of([tiny_image(0), tiny_image(1)])
    batch = [made.image for made in post_edit_batch(plain, models, requests, CONFIG)]
    assert [edit.require().tobytes() for edit in editor.edit(requests)] == [image.tobytes() for image in batch]
    photo = EditRequest(image=tiny_image(4, (75, 50)), instruction="melt it")
    [made] = editor.edit([photo])
    assert made.require().tobytes() == post_edit_photo(plain, models, photo, CONFIG)[0].tobytes()
    assert editor.with_options(guidance_scale=1.0).edit([photo])[0].require().tobytes() != made.require().tobytes()
    with pytest.raises(BadInputError, match="the family instruct_pix2pix do not show"):
        with_post_edit(editor, models, CONFIG)


def test_every_step_is_written_and_shown(models: PostEditModels, tmp_path: Path) -> None:
    editor = editor_of_pipeline(tiny_pipeline(), **STEPS)
    [made] = post_edit_batch(editor, models, requests_of([tiny_image(0)]), CONFIG)
    sheet = write_explanation(tmp_path / "steps", made)
    assert len(list(sheet.parent.glob("*.png"))) == 11
    with Image.open(sheet) as image, Image.open(sheet.parent / "10-result.png") as result:
        assert image.size == (5 * 160, 2 * 180)
        assert np.array_equal(np.asarray(result), np.asarray(made.image))


def test_the_instructions_own_tokens_share_the_weight() -> None:
    tokenizer = tiny_pipeline().tokenizer
    weights = instruction_token_weights(tokenizer, ["ab", "", "a" * 60])
    # Start, a, b, end.
    assert weights[0, 0, :4].tolist() == [0, 0.5, 0.5, 0]
    assert weights[1].sum() == 0 and weights[2, 0].sum() == pytest.approx(1)


def test_or_every_token_but_the_start_has_an_equal_share() -> None:
    tokenizer = tiny_pipeline().tokenizer
    weights = instruction_token_weights(tokenizer, ["ab", ""], "all")
    assert weights.shape == instruction_token_weights(tokenizer, ["ab", ""]).shape
    assert not weights[:, 0, 0].any() and torch.equal(weights[0], weights[1])
    assert weights[0, 0, 1:].unique().numel() == 1 and weights[0].sum() == pytest.approx(1)


def test_the_mask_that_overlaps_the_region_most_is_taken_and_the_region_where_none_does() -> None:
    region, thing, other = disc((16, 16), 6), disc((15, 16), 7), disc((3, 3), 3)

    class Seen:
        def masks_at(self, image: Image.Image, points: list[tuple[float, float]]) -> tuple[np.ndarray, np.ndarray]:
            assert points and all(region[int(y), int(x)] for x, y in points)
            return np.stack([[other, thing, np.ones_like(thing)]]), np.ones((1, 3))

    assert np.array_equal(best_overlap_mask(Seen(), tiny_image(0), region, 10, 0.1), thing)  # type: ignore[arg-type]
    assert np.array_equal(best_overlap_mask(Seen(), tiny_image(0), region, 10, 0.99), region)  # type: ignore[arg-type]


def test_overlap_is_intersection_over_union() -> None:
    first, second = np.zeros((4, 4), bool), np.zeros((4, 4), bool)
    assert overlap(first, second) == 0
    first[:2], second[1:3] = True, True
    assert overlap(first, second) == pytest.approx(1 / 3)


def test_points_lie_in_the_region_are_spread_over_it_and_few() -> None:
    region = disc((16, 16), 10)
    points = region_points(region, 12)
    assert 8 <= len(points) <= 12 and all(region[int(y), int(x)] for x, y in points)
    assert np.std([x for x, _ in points]) > 3 and np.std([y for _, y in points]) > 3
    assert region_points(np.zeros((8, 8), bool), 5) == []
    assert region_points(disc((5, 5), 0), 5) == [(5.0, 5.0)]


def test_feathering_lies_inside_the_region_and_a_composite_is_exact_outside_it() -> None:
    mask = disc((16, 16), 10)
    weights = feathered(mask, 0.1)
    assert not weights[~mask].any() and weights[mask].min() > 0 and weights[16, 16] == 1
    edge = mask & ~disc((16, 16), 8)
    assert weights[edge].max() < 1
    mixed = np.asarray(composite(tiny_image(0), tiny_image(1), mask, 0.1))
    assert np.array_equal(mixed[~mask], np.asarray(tiny_image(0))[~mask])
    assert np.array_equal(mixed[16, 16], np.asarray(tiny_image(1))[16, 16])
    assert np.array_equal(feathered(np.ones((8, 8), bool), 0.5), np.ones((8, 8)))


def test_dilation_grows_by_its_share_of_the_side() -> None:
    assert np.array_equal(dilated(disc((16, 16), 5), 0.0), disc((16, 16), 5))
    grown = dilated(disc((16, 16), 5), 3 / 32)
    assert disc((16, 16), 7)[grown].sum() == disc((16, 16), 7).sum() and not grown[~disc((16, 16), 9)].any()


def test_wrong_settings_are_refused() -> None:
    wrong = ({"strength": 0}, {"strength": 1.5}, {"strength": 0.01}, {"num_points": 0}, {"feather": -1})
    for values in (*wrong, {"tokens": "some"}):
        with pytest.raises(BadInputError):
            PostEditConfig(**values)


def test_a_profile_brings_settings_of_its_own_and_what_is_given_wins(tmp_path: Path) -> None:
    profile = tmp_path / "mine.toml"
    profile.write_text("[post_edit]\ntau = 1.5\nstrength = 0.25\n")
    made = PostEditConfig.of_profile(load_profile(profile), strength=0.5)
    assert (made.tau, made.strength, made.num_points) == (1.5, 0.5, PostEditConfig().num_points)
    assert PostEditConfig.of_profile(load_profile("paper")) == PostEditConfig()


@pytest.mark.parametrize(
    ("line", "message"),
    [("tokens = 1", "profile 'mine': post_edit.tokens is 1, but must be a word"),
     ("tua = 1", "profile 'mine': unknown setting 'tua' in post_edit; settings are tau, "),
     ('tau = "high"', "profile 'mine': post_edit.tau is 'high', but must be a number"),
     ("strength = 2", "strength is 2, but must be in \\(0, 1\\]")],
)  # fmt: skip
def test_a_profiles_wrong_settings_are_refused(tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "mine.toml").write_text(f"[post_edit]\n{line}\n")
    with pytest.raises(BadInputError, match=message):
        PostEditConfig.of_profile(load_profile(tmp_path / "mine.toml"))
