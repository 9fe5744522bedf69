import pytest
import torch
from function_editors import request
from tiny_models import psnr, tiny_image, tiny_pipeline

from editfoundry.diffusion.schedulers import scheduler_by_name, scheduler_names
from editfoundry.editors.families.instruct_pix2pix.family import editor_of_pipeline
from editfoundry.editors.families.instruct_pix2pix.sampling import edit_images
from editfoundry.editors.guidance_sweep import draw_sweep, sweep_guidance
from editfoundry.editors.working_size import working_size
from editfoundry.errors import BadInputError


@pytest.mark.parametrize("scheduler", ["ddim", "euler-ancestral"])
@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
@pytest.mark.parametrize("scales", [(7.5, 1.5), (1.0, 1.5), (3.0, 1.0)])
def test_one_image_equals_the_diffusers_pipeline_at_equal_seed(
    scheduler: str, prediction_type: str, scales: tuple[float, float]
) -> None:
    pipeline = tiny_pipeline(scheduler, prediction_type)
    options = {"num_inference_steps": 4, "guidance_scale": scales[0], "image_guidance_scale": scales[1]}
    image = tiny_image(3)
    expected = pipeline("melt it", image, generator=torch.Generator().manual_seed(5), **options).images[0]
    [found] = edit_images(pipeline, [image], ["melt it"], seeds=[5], **options)
    assert psnr(found, expected) >= 40
    [other] = edit_images(pipeline, [image], ["melt it"], seeds=[6], **options)
    assert psnr(other, expected) < 40


@pytest.mark.parametrize(("scales", "views"), [((7.5, 1.5), 3), ((7.5, 1.0), 2), ((1.0, 1.5), 1)])
def test_the_unet_sees_an_edit_only_under_the_conditions_that_have_weight(
    scales: tuple[float, float], views: int
) -> None:
    pipeline, seen = tiny_pipeline(), []

    def denoiser(sample: torch.Tensor, timestep: object, **options: object) -> object:
        seen.append(len(sample))
        return pipeline.unet(sample, timestep, **options)

    images, texts = [tiny_image(3), tiny_image(4)], ["melt it", "add a cat"]
    options = {"guidance_scale": scales[0], "image_guidance_scale": scales[1], "num_inference_steps": 2}
    edit_images(pipeline, images, texts, seeds=[5, 6], denoiser=denoiser, **options)
    assert seen == [2 * views] * 2


@pytest.mark.parametrize("scheduler", ["ddim", "euler-ancestral"])
def test_an_edit_is_the_same_alone_and_in_a_batch(scheduler: str) -> None:
    pipeline = tiny_pipeline(scheduler)
    images, texts, seeds = [tiny_image(i) for i in range(3)], ["melt it", "add a cat", "melt it"], [4, 5, 6]
    batch = edit_images(pipeline, images, texts, seeds=seeds, num_inference_steps=3)
    for i in range(3):
        [alone] = edit_images(pipeline, [images[i]], [texts[i]], seeds=[seeds[i]], num_inference_steps=3)
        assert psnr(batch[i], alone) >= 40


@pytest.mark.parametrize("name", scheduler_names(tiny_pipeline().scheduler))
def test_any_scheduler_by_name_equals_the_pipeline_with_that_scheduler(name: str) -> None:
    pipeline, image = tiny_pipeline(), tiny_image(3)
    own = pipeline.scheduler
    [found] = edit_images(pipeline, [image], ["melt it"], seeds=[5], num_inference_steps=4, scheduler=name)
    assert pipeline.scheduler is own
    pipeline.scheduler = scheduler_by_name(name, own)
    assert type(pipeline.scheduler).__name__ == name
    generator = torch.Generator().manual_seed(5)
    expected = pipeline("melt it", image, num_inference_steps=4, image_guidance_scale=1.5, generator=generator).images[
        0
    ]
    assert psnr(found, expected) >= 40


def test_short_names_of_schedulers_are_understood_and_wrong_ones_listed() -> None:
    own = tiny_pipeline().scheduler
    assert type(scheduler_by_name("euler-ancestral", own)).__name__ == "EulerAncestralDiscreteScheduler"
    with pytest.raises(BadInputError, match="no scheduler 'best' for this editor; use one of ddim, ddpm"):
        scheduler_by_name("best", own)
    zero_snr = tiny_pipeline(prediction_type="v_prediction").scheduler
    with pytest.raises(BadInputError, match="'heun' has no zero-terminal-SNR schedule"):
        scheduler_by_name("heun", zero_snr)


def test_a_sweep_has_at_each_pair_of_scales_the_edit_at_these_scales() -> None:
    pipeline, image = tiny_pipeline(), tiny_image(3)
    editor = editor_of_pipeline(pipeline, num_inference_steps=2)
    sweep = sweep_guidance(editor, request(image), (1.0, 7.5), (0.5, 1.5, 2.0), batch_size=4)
    for text, row in zip(sweep.guidance_scales, sweep.edits, strict=True):
        for picture, edit in zip(sweep.image_guidance_scales, row, strict=True):
            [expected] = edit_images(
                pipeline,
                [image],
                ["melt it"],
                seeds=[0],
                num_inference_steps=2,
                guidance_scale=text,
                image_guidance_scale=picture,
            )
            assert psnr(edit, expected) >= 40
    assert psnr(sweep.edits[1][1], sweep.edits[1][2]) < 40
    assert draw_sweep(sweep).size == (44 + 3 * 128, 44 + 2 * 128)


def test_a_rescaled_edit_is_another_picture_and_a_wrong_share_is_refused() -> None:
    pipeline, image = tiny_pipeline(), tiny_image(3)
    options = {"seeds": [0], "num_inference_steps": 2}
    [plain] = edit_images(pipeline, [image], ["melt it"], **options)
    [rescaled] = edit_images(pipeline, [image], ["melt it"], guidance_rescale=0.7, **options)
    assert psnr(plain, rescaled) < 40
    with pytest.raises(BadInputError, match="guidance_rescale is 2"):
        edit_images(pipeline, [image], ["melt it"], guidance_rescale=2, **options)


def test_an_empty_batch_gives_no_images() -> None:
    assert edit_images(tiny_pipeline(), [], [], seeds=[]) == []


def test_a_batch_of_unequal_lists_or_sizes_is_refused() -> None:
    pipeline = tiny_pipeline()
    with pytest.raises(BadInputError, match="1 images, 2 instructions"):
        edit_images(pipeline, [tiny_image(0)], ["a", "b"], seeds=[0])
    with pytest.raises(BadInputError, match="one size"):
        edit_images(pipeline, [tiny_image(0), tiny_image(0, (16, 16))], ["a", "b"], seeds=[0, 1])


@pytest.mark.parametrize(
    ("size", "expected"),
    [((32, 32), (32, 32)), ((4000, 3000), (32, 24)), ((100, 2000), (8, 32)), ((1, 1), (32, 32))],
)
def test_a_photo_is_edited_at_the_size_the_editor_was_made_for(
    size: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert working_size(tiny_pipeline(), size) == expected


@pytest.mark.parametrize(
    ("size", "expected"), [((32, 32), (64, 64)), ((1600, 900), (88, 48)), ((900, 1600), (48, 88)), ((1, 1), (64, 64))]
)
def test_an_editor_of_several_aspect_ratios_edits_at_the_area_it_was_trained_on(
    size: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert working_size(tiny_pipeline(), size, area_side=64) == expected
    assert abs(expected[0] * expected[1] / 64**2 - 1) < 0.07


@pytest.mark.parametrize("size", [(75, 50), (1, 1), (9, 120)])
def test_an_edited_photo_has_the_photos_size(size: tuple[int, int]) -> None:
    [edit] = editor_of_pipeline(tiny_pipeline(), num_inference_steps=2).edit([request(tiny_image(1, size))])
    edited = edit.require()
    assert (edited.size, edited.mode) == (size, "RGB")


def test_a_photo_of_the_editors_size_is_edited_as_it_is() -> None:
    pipeline, image = tiny_pipeline(), tiny_image(2)
    [expected] = edit_images(pipeline, [image], ["melt it"], seeds=[7], num_inference_steps=2)
    [edit] = editor_of_pipeline(pipeline, num_inference_steps=2).edit([request(image, seed=7)])
    assert psnr(edit.require(), expected) == float("inf")


def test_pictures_of_several_sizes_are_edited_in_batches_of_one_working_size() -> None:
    pipeline = tiny_pipeline()
    batches: list[int] = []
    pipeline.unet.register_forward_pre_hook(lambda _, inputs: batches.append(len(inputs[0]) // 3))
    images = [tiny_image(0), tiny_image(1, (64, 48)), tiny_image(2), tiny_image(3, (32, 24))]
    edits = editor_of_pipeline(pipeline, num_inference_steps=1).edit([request(image) for image in images])
    assert batches == [2, 2]
    assert [edit.require().size for edit in edits] == [(32, 32), (64, 48), (32, 32), (32, 24)]


def test_requests_of_one_batch_may_have_guidance_scales_of_their_own_and_no_other_option() -> None:
    editor = editor_of_pipeline(tiny_pipeline(), num_inference_steps=2)
    scales = ({"guidance_scale": 3.0}, {"image_guidance_scale": 2.0}, {})
    together = editor.edit([request(tiny_image(0), options=own) for own in scales])
    for own, edit in zip(scales, together, strict=True):
        [alone] = editor.with_options(**own).edit([request(tiny_image(0))])
        assert psnr(edit.require(), alone.require()) > 45
    with pytest.raises(BadInputError, match="scheduler cannot differ from request to request"):
        editor.edit([request(tiny_image(0), options={"scheduler": "ddim"})])
