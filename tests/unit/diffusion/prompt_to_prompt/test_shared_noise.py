"""Pairs of one noise: what two pictures share, whatever the sampler."""

import pytest
import tiny_sdxl
import torch
from tiny_models import tiny_tokenizer

from editfoundry.diffusion.prompt_embeds import encode_empty_prompt, encode_prompts
from editfoundry.diffusion.prompt_to_prompt.alignment import align
from editfoundry.diffusion.prompt_to_prompt.injection import Injection
from editfoundry.diffusion.prompt_to_prompt.paired_sampling import sample_pairs
from editfoundry.diffusion.prompt_to_prompt.shared_noise import SharedNoiseSchedule
from editfoundry.diffusion.sampling import denoise, noise_for
from editfoundry.diffusion.schedulers import scheduler_by_name
from editfoundry.diffusion.seeded_noise import seeded_generators
from editfoundry.errors import BadInputError

BEFORE, AFTER = ["a cat in sea", "a dog"], ["a wet cat in sea", "a cup"]
ALONE = {"num_cross_steps": 0, "num_self_steps": 0, "max_self_attention_pixels": None}


@pytest.fixture(scope="module", params=["sd", "sdxl"])
def painter(request):
    return tiny_sdxl.PAINTERS[request.param]()


def paint(painter, rows=slice(0, 2), scheduler="euler-ancestral", after=AFTER, scale=3.0, **sharing):
    noise = noise_for(painter, seeded_generators([5, 6])[rows])
    schedule = SharedNoiseSchedule.of(painter, scheduler, 4, noise)
    before, after = BEFORE[rows], after[rows]
    nulls = [encode_empty_prompt(painter).expanded(len(before))] * len(schedule)
    return sample_pairs(
        painter, schedule, schedule.first_latents(noise), encode_prompts(painter, before),
        encode_prompts(painter, after), nulls, align(painter.tokenizer, before, after), guidance_scale=scale,
        **{**ALONE, **sharing},
    )  # fmt: skip


@pytest.mark.parametrize("scheduler", ["euler-ancestral", "ddim", "euler"])
def test_without_sharing_each_picture_is_what_plain_sampling_from_that_noise_paints(painter, scheduler):
    painted = paint(painter, scheduler=scheduler)
    before = painter.scheduler
    painter.scheduler = scheduler_by_name(scheduler, before)
    noise = noise_for(painter, seeded_generators([5, 6]))
    for latents, captions in zip(painted, (BEFORE, AFTER), strict=True):
        torch.testing.assert_close(
            latents, denoise(painter, encode_prompts(painter, captions), noise, 4, 3.0), atol=1e-3, rtol=1e-3
        )
    painter.scheduler = before


def test_equal_captions_give_equal_pictures_since_the_noise_on_the_way_is_shared(painter):
    first, second = paint(painter, after=BEFORE)
    torch.testing.assert_close(first, second, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(first[0], first[1], atol=0.1)


def test_a_pair_is_the_same_alone_and_in_a_batch_with_its_own_scale_and_shares(painter):
    own = {"num_cross_steps": torch.tensor([1.0, 3.0]), "num_self_steps": torch.tensor([2.0, 0.0])}
    scales = torch.tensor([2.0, 6.0])
    together = paint(painter, scale=scales, in_null_half=True, **own)
    for row in (0, 1):
        part = slice(row, row + 1)
        alone = paint(painter, part, scale=scales[part], in_null_half=True, **{k: v[part] for k, v in own.items()})
        for whole, single in zip(together, alone, strict=True):
            torch.testing.assert_close(whole[part], single, atol=1e-3, rtol=1e-3)


def test_the_first_picture_is_the_same_whatever_the_second_takes_from_it(painter):
    plain, _ = paint(painter)
    for sharing in ({"num_cross_steps": 9}, {"num_self_steps": 9}, {"num_self_steps": 9, "in_null_half": True}):
        first, second = paint(painter, **sharing)
        torch.testing.assert_close(first, plain, atol=1e-4, rtol=1e-4)
        assert not torch.allclose(second, paint(painter)[1], atol=1e-3)


def test_self_attention_is_shared_in_both_halves_of_the_guided_batch_as_in_the_release():
    on, off = torch.tensor([True]), torch.tensor([False])
    rows = torch.rand(4, 2, 9, 9)
    alignment = align(tiny_tokenizer(), ["a cat"], ["a dog"])
    both = Injection(alignment, None, off, on, in_null_half=True).apply(rows, is_cross=False)
    # The release: sims[0], sims[0], sims[2], sims[2] of a batch u0 u1 c0 c1.
    assert torch.equal(both, rows[[0, 0, 2, 2]])
    captions_alone = Injection(alignment, None, off, on).apply(rows, is_cross=False)
    assert torch.equal(captions_alone, rows[[0, 1, 2, 2]])


def test_a_scheduler_that_is_not_there_is_named(painter):
    with pytest.raises(BadInputError, match="no scheduler 'euler-ancestor'"):
        paint(painter, scheduler="euler-ancestor")


def test_the_unet_is_left_as_it_was(painter):
    processors = dict(painter.unet.attn_processors)
    paint(painter, num_self_steps=9)
    assert painter.unet.attn_processors == processors
