import pytest
import torch
from diffusers import StableDiffusionControlNetPipeline, StableDiffusionXLControlNetPipeline
from tiny_models import psnr, tiny_image

from editfoundry.data.canny_edges import canny_edges
from editfoundry.diffusion.attention import collected_attention
from editfoundry.diffusion.canny import control_images
from editfoundry.diffusion.decoding import decode
from editfoundry.diffusion.prompt_embeds import encode_prompts
from editfoundry.diffusion.refinement import refine
from editfoundry.diffusion.sampling import denoise, noise_for, record_generator
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.synthesis.editworld_text.config import TextBranchConfig
from editfoundry.synthesis.editworld_text.models import load_branch

PROMPTS = ["a cat", "a dog"]
IMAGES = [tiny_image(1), tiny_image(2)]


@pytest.fixture(scope="module")
def models(branch_profile):
    return load_branch(branch_profile, choose_runtime("cpu"), TextBranchConfig(num_refined_candidates=1))


def noise(models, count=2):
    return noise_for(models.painter, [record_generator(0, "r", "refined", i) for i in range(count)])


def refined(models, rows=(0, 1), guidance_scale=3.0, steps=3, **scales):
    rows = list(rows)
    embeds = models.ip_adapter.encode_images([IMAGES[i] for i in rows])
    edges = control_images([IMAGES[i] for i in rows])
    prompts = encode_prompts(models.painter, [PROMPTS[i] for i in rows])
    return refine(
        models.painter,
        models.controlnet,
        models.ip_adapter,
        prompts,
        embeds,
        edges,
        noise(models)[rows],
        steps,
        guidance_scale,
        **scales,
    )


def painted(models, steps=3):
    return denoise(models.painter, encode_prompts(models.painter, PROMPTS), noise(models), steps, 3.0)


def test_edges_are_opencvs_in_all_channels():
    edges = canny_edges(IMAGES[0])
    assert set(edges.flatten().tolist()) == {0, 255}
    control = control_images(IMAGES)
    assert control.shape == (2, 3, 32, 32) and set(control.unique().tolist()) == {0, 1}
    assert torch.equal(control[0, 0], torch.from_numpy(edges) / 255) and torch.equal(control[0, 0], control[0, 2])


def test_higher_thresholds_leave_fewer_edges():
    assert canny_edges(IMAGES[0], 600, 900).sum() < canny_edges(IMAGES[0], 100, 200).sum()


def test_painting_is_unchanged_bit_for_bit_by_a_loaded_adapter_and_after_it_was_used(models, branch_profile):
    fresh = load_branch(branch_profile, choose_runtime("cpu"), TextBranchConfig())
    assert fresh.ip_adapter is None and fresh.controlnet is None
    before = painted(fresh)
    assert torch.equal(painted(models), before)
    refined(models)
    assert torch.equal(painted(models), before)
    with pytest.raises(RuntimeError, match="stop"), models.ip_adapter.applied(0.5):
        raise RuntimeError("stop")
    assert torch.equal(painted(models), before)


def test_with_both_scales_at_zero_refinement_is_plain_painting(models):
    actual = refined(models, ip_adapter_scale=0.0, controlnet_conditioning_scale=0.0)
    torch.testing.assert_close(actual, painted(models), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("scale", ["ip_adapter_scale", "controlnet_conditioning_scale"])
def test_both_the_identity_and_the_edges_count(models, scale):
    assert (refined(models) - refined(models, **{scale: 0.0})).abs().mean() > 1e-3


def test_a_batch_refines_as_its_rows_one_by_one(models):
    both = refined(models)
    torch.testing.assert_close(both, torch.cat([refined(models, [0]), refined(models, [1])]), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("guidance_scale", [1.0, 3.0])
def test_a_refinement_equals_that_of_diffusers_own_pipelines(models, guidance_scale):
    ours = refined(models, [0], guidance_scale, ip_adapter_scale=0.7, controlnet_conditioning_scale=0.8)
    painter = models.painter
    is_xl = hasattr(painter, "text_encoder_2")
    kind = StableDiffusionXLControlNetPipeline if is_xl else StableDiffusionControlNetPipeline
    extra = {} if is_xl else {"safety_checker": None, "requires_safety_checker": False}
    parts = {**painter.components, "image_encoder": models.ip_adapter.image_encoder, **extra}
    theirs = kind(**parts, controlnet=models.controlnet)
    theirs.register_modules(feature_extractor=models.ip_adapter.feature_extractor)
    theirs.set_progress_bar_config(disable=True)
    edges = control_images(IMAGES[:1])
    with models.ip_adapter.applied(0.7):
        expected = theirs(
            PROMPTS[0],
            image=edges,
            ip_adapter_image=IMAGES[0],
            latents=noise(models).latents[:1],
            num_inference_steps=3,
            guidance_scale=guidance_scale,
            controlnet_conditioning_scale=0.8,
            output_type="latent",
        ).images
    torch.testing.assert_close(ours, expected, atol=1e-4, rtol=1e-4)
    assert psnr(decode(painter, ours)[0], decode(painter, expected)[0]) >= 50


@torch.no_grad()
def test_attention_can_be_collected_while_the_adapter_is_in_the_unet(models):
    unet, prompts = models.painter.unet, encode_prompts(models.painter, PROMPTS)
    added = {**prompts.added_cond_kwargs(), "image_embeds": [models.ip_adapter.encode_images(IMAGES)[0]]}
    inputs = noise(models).latents, torch.tensor(500), prompts.prompt_embeds
    with models.ip_adapter.applied(0.5):
        expected = unet(*inputs, added_cond_kwargs=added)[0]
        with collected_attention(unet, torch.ones(2, 1, 24) / 24, 8) as attention:
            assert torch.equal(unet(*inputs, added_cond_kwargs=added)[0], expected)
    # The probabilities of all text tokens add up to one.
    torch.testing.assert_close(attention.maps() * 24, torch.ones(2, 8, 8))
