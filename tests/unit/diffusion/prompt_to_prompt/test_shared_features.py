"""Plug-and-play and blending: what else the second picture can take from the first."""

import pytest
import tiny_sdxl
import torch

from editfoundry.diffusion.ddim_inversion import DdimSchedule
from editfoundry.diffusion.prompt_embeds import encode_empty_prompt, encode_prompts
from editfoundry.diffusion.prompt_to_prompt.alignment import align
from editfoundry.diffusion.prompt_to_prompt.injection import Injection
from editfoundry.diffusion.prompt_to_prompt.paired_sampling import sample_pairs

BEFORE, AFTER = ["a cat in sea", "a dog"], ["a wet cat in sea", "a cup"]


@pytest.fixture(scope="module", params=["sd", "sdxl"])
def painter(request):
    return tiny_sdxl.PAINTERS[request.param]()


def sample(painter, after=AFTER, rows=slice(None), **settings):
    latents = torch.randn(2, 4, 16, 16, generator=torch.Generator().manual_seed(0))[rows]
    schedule, count = DdimSchedule.of(painter, 3), len(latents)
    empty = encode_empty_prompt(painter).expanded(count)
    prompts = [encode_prompts(painter, texts[rows]) for texts in (BEFORE, after)]
    chosen = {"guidance_scale": 3.0, "num_cross_steps": 0, "num_self_steps": 0, "max_self_attention_pixels": None}
    alignment = align(painter.tokenizer, BEFORE[rows], after[rows])
    return sample_pairs(painter, schedule, latents, *prompts, [empty] * 3, alignment, **{**chosen, **settings})


def test_a_target_of_the_same_caption_stays_the_source_and_features_bring_others_nearer(painter):
    kept, same = sample(painter, BEFORE, num_feature_steps=3, num_self_steps=3, decoder_alone=True, in_null_half=True)
    torch.testing.assert_close(same, kept, atol=1e-4, rtol=1e-4)
    plain = sample(painter)[1]
    shared = sample(painter, num_feature_steps=3)[1]
    assert not torch.allclose(shared, plain, atol=1e-3)
    torch.testing.assert_close(sample(painter, num_feature_steps=0)[1], plain, atol=1e-4, rtol=1e-4)


def test_a_pair_takes_features_alike_alone_and_in_a_batch_and_the_unet_is_left_as_it_was(painter):
    settings = {"num_feature_steps": 2, "num_self_steps": 3, "decoder_alone": True, "in_null_half": True}
    together = sample(painter, **settings)[1]
    torch.testing.assert_close(sample(painter, rows=slice(1, 2), **settings)[1], together[1:], atol=1e-4, rtol=1e-4)
    assert not any(module._forward_hooks for module in painter.unet.modules())


def test_every_second_picture_takes_the_features_of_its_own_first_one():
    on = torch.tensor([True, False])
    injection = Injection(None, None, on, on, features_are_on=on)
    features = torch.arange(8.0)[:, None, None, None]
    # Under each condition two first pictures, then two second ones.
    assert injection.shared_features(features).flatten().tolist() == [0, 1, 0, 3, 4, 5, 4, 7]


def test_the_second_picture_can_have_another_guidance_and_be_blended_after_each_step(painter):
    kept, other = sample(painter, BEFORE, target_guidance_scale=torch.tensor([3.0, 6.0]))
    torch.testing.assert_close(other[0], kept[0], atol=1e-4, rtol=1e-4)
    assert not torch.allclose(other[1], kept[1], atol=1e-3)
    steps = []
    first, second = sample(painter, blend=lambda a, b, index: (steps.append(index), a)[1])
    assert steps == [0, 1, 2] and torch.equal(first, second)
