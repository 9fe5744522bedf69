from dataclasses import replace

import pytest
import tiny_sdxl
import torch
from tiny_models import tiny_tokenizer

from editfoundry.diffusion.ddim_inversion import DdimSchedule, invert, predictor, sample, unet_output
from editfoundry.diffusion.prompt_embeds import PromptEmbeds, encode_empty_prompt, encode_prompts
from editfoundry.diffusion.prompt_to_prompt.alignment import align
from editfoundry.diffusion.prompt_to_prompt.injection import Injection
from editfoundry.diffusion.prompt_to_prompt.null_text import null_text_embeds
from editfoundry.editors.families.prompt_to_prompt.editing import edit_latents
from editfoundry.editors.families.prompt_to_prompt.options import PromptToPromptOptions
from editfoundry.errors import BadInputError

SETTINGS = PromptToPromptOptions(num_inference_steps=3, guidance_scale=3.0)
BEFORE, AFTER = ["a cat in sea", "a dog"], ["a wet cat in sea", "a cup"]


@pytest.fixture(scope="module", params=["sd", "sdxl"])
def painter(request):
    return tiny_sdxl.PAINTERS[request.param]()


@pytest.fixture(scope="module")
def latents():
    return torch.randn(2, 4, 16, 16, generator=torch.Generator().manual_seed(0)) * 0.5


def test_with_equal_captions_the_edit_is_the_reconstruction(painter, latents):
    kept, edited = edit_latents(painter, latents, BEFORE, BEFORE, SETTINGS)
    torch.testing.assert_close(edited, kept, atol=1e-4, rtol=1e-4)
    schedule, prompts = DdimSchedule.of(painter, 3), encode_prompts(painter, BEFORE)
    with torch.no_grad():
        start = invert(schedule, predictor(painter, schedule, prompts), latents)[0]
        guided = predictor(painter, schedule, prompts, 3.0, encode_empty_prompt(painter).expanded(2))
        expected = sample(schedule, guided, start)
    torch.testing.assert_close(kept, expected, atol=1e-4, rtol=1e-4)


def test_without_sharing_the_edit_is_plain_sampling_and_sharing_changes_it(painter, latents):
    alone = replace(SETTINGS, cross_share=0.0, self_share=0.0)
    schedule = DdimSchedule.of(painter, 3)
    with torch.no_grad():
        start = invert(schedule, predictor(painter, schedule, encode_prompts(painter, BEFORE)), latents)[0]
        empty = encode_empty_prompt(painter).expanded(2)
        plain = sample(schedule, predictor(painter, schedule, encode_prompts(painter, AFTER), 3.0, empty), start)
    torch.testing.assert_close(edit_latents(painter, latents, BEFORE, AFTER, alone)[1], plain, atol=1e-4, rtol=1e-4)
    for shared in (replace(alone, cross_share=1.0), replace(alone, self_share=1.0)):
        assert not torch.allclose(edit_latents(painter, latents, BEFORE, AFTER, shared)[1], plain, atol=1e-3)


def test_a_pair_is_edited_alike_alone_and_in_a_batch_and_the_unet_is_left_as_it_was(painter, latents):
    processors = dict(painter.unet.attn_processors)
    together = edit_latents(painter, latents, BEFORE, AFTER, SETTINGS)[1]
    alone = edit_latents(painter, latents[1:], BEFORE[1:], AFTER[1:], SETTINGS)[1]
    torch.testing.assert_close(together[1:], alone, atol=1e-4, rtol=1e-4)
    assert painter.unet.attn_processors == processors


def test_null_text_brings_guided_sampling_back_to_the_picture(latents):
    painter, settings = tiny_sdxl.PAINTERS["sd"](), replace(SETTINGS, guidance_scale=12.0, num_refinements=4)
    errors = [
        float((edit_latents(painter, latents, BEFORE, BEFORE, s)[0] - latents).square().mean())
        for s in (settings, replace(settings, num_null_text_iterations=5))
    ]
    assert errors[1] < 0.95 * errors[0]


def test_words_are_swapped_by_their_places_and_new_words_keep_their_own_attention():
    tokenizer = tiny_tokenizer()
    swap = align(tokenizer, ["a cat in sea"], ["a fox in sea"], new_word_weight=2.0)
    assert torch.equal(swap.mapper[0], torch.eye(24))
    assert swap.shared.all()
    # The places of f, o and x; letters are tokens here, and the source has none of them at these places.
    assert swap.weights[0].tolist() == [1, 1, 2, 2, 2, *[1] * 19]
    longer = align(tokenizer, ["a hat"], ["a goat"], control="replace").mapper[0]
    assert torch.equal(longer[2:5, 2:6], torch.full((3, 4), 0.25))
    refined = align(tokenizer, ["a cat"], ["a wet cat"])
    assert refined.shared[0].tolist() == [1, 1, 0, 0, 0, *[1] * 19]
    # The c, a and t of the target, behind the new word, take the maps of the source's; padding follows padding.
    assert [int(refined.mapper[0, :, place].argmax()) for place in (0, 1, 5, 6, 7, 8, 9)] == [0, 1, 2, 3, 4, 5, 6]


def test_only_the_targets_conditional_rows_take_the_sources_probabilities():
    tokenizer = tiny_tokenizer()
    on, off = torch.tensor([True, False]), torch.tensor([False, False])
    injection = Injection(align(tokenizer, ["a cat"] * 2, ["a fox"] * 2), 4, on, off)
    probabilities = torch.rand(8, 2, 16, 24)
    edited = injection.apply(probabilities, is_cross=True)
    assert torch.equal(edited[:6], probabilities[:6])
    torch.testing.assert_close(edited[6], probabilities[4])
    assert torch.equal(edited[7], probabilities[7])
    injection.self_is_on = on
    assert not injection.changes(is_cross=False, num_queries=5)
    assert injection.changes(is_cross=False, num_queries=4)


@pytest.mark.parametrize("wrong", [{"control": "swap"}, {"cross_share": 1.5}, {"num_inference_steps": 0}])
def test_settings_that_cannot_be_are_refused(wrong):
    with pytest.raises(BadInputError, match=next(iter(wrong))):
        PromptToPromptOptions(**wrong)


def test_captions_longer_than_the_encoder_takes_and_shorter_targets_stay_within_its_length():
    tokenizer = tiny_tokenizer()
    long = "abcdefghijklmnopqrstuvwxyzabcdefgh"
    assert torch.equal(align(tokenizer, [long], [long]).mapper[0], torch.eye(24))
    shorter = align(tokenizer, ["a goat"], ["a hat"]).mapper[0]
    # The padding behind the target is a token ahead of the source's, and ends at the same last one.
    assert [int(shorter[:, place].argmax()) for place in (6, 7, 21, 22, 23)] == [7, 8, 22, 23, 23]


def test_a_null_condition_goes_down_the_error_of_the_guided_step_at_adams_first_rate(latents):
    painter, guidance_scale = tiny_sdxl.PAINTERS["sd"](), 4.0
    # Copies, as what was encoded in inference mode cannot be trained.
    prompts, empty = (
        PromptEmbeds(embeds.prompt_embeds.clone())
        for embeds in (encode_prompts(painter, BEFORE), encode_empty_prompt(painter).expanded(2))
    )
    schedule = DdimSchedule.of(painter, 3)
    with torch.no_grad():
        trajectory = invert(schedule, predictor(painter, schedule, prompts), latents)[:2]
    [found] = null_text_embeds(painter, schedule, trajectory, prompts, empty, guidance_scale, 1)

    null = empty.prompt_embeds.clone().requires_grad_()
    of_null, of_prompts = (
        unet_output(painter, trajectory[0], schedule.timesteps[0], PromptEmbeds(embeds))
        for embeds in (null, prompts.prompt_embeds)
    )
    guided = (1 - guidance_scale) * of_null + guidance_scale * of_prompts
    errors = (schedule.step(trajectory[0], guided, 0) - trajectory[1]).square().mean(dim=(1, 2, 3))
    (gradient,) = torch.autograd.grad(errors.sum(), null)
    steep = gradient.abs() > gradient.abs().mean()
    # Adam's first step is the learning rate in each direction, against the gradient's sign.
    moved = (found.prompt_embeds - empty.prompt_embeds)[steep]
    torch.testing.assert_close(moved, -0.01 * gradient[steep].sign(), atol=1e-4, rtol=0)
    # Where the guided step leads there already, nothing is to be moved.
    there = schedule.step(trajectory[0], guided.detach(), 0)
    [kept] = null_text_embeds(painter, schedule, [trajectory[0], there], prompts, empty, guidance_scale, 8)
    assert torch.equal(kept.prompt_embeds, empty.prompt_embeds)
