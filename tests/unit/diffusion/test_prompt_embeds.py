import torch
from tiny_sdxl import tiny_sdxl

from editfoundry.diffusion.prompt_embeds import PromptEmbeds, encode_empty_prompt, encode_prompts, image_size


def test_equal_prompts_are_encoded_once_and_returned_in_order(painter):
    calls = []
    painter.text_encoder.register_forward_pre_hook(lambda _, args, kwargs: calls.append(args), with_kwargs=True)
    embeds = encode_prompts(painter, ["a cat", "a dog", "a cat"]).prompt_embeds
    assert embeds.shape == (3, 24, 16)
    assert torch.equal(embeds[0], embeds[2]) and not torch.equal(embeds[0], embeds[1])
    assert [len(args[0]) for args in calls] == [2]


def test_stable_diffusion_has_neither_pooled_embeddings_nor_time_ids(painter):
    prompts = encode_prompts(painter, ["a cat"])
    assert prompts.pooled_prompt_embeds is None and prompts.added_cond_kwargs() == {}


def test_sdxl_embeds_as_its_own_pipeline_does():
    painter = tiny_sdxl()
    prompts, empty = encode_prompts(painter, ["a cat"]), encode_empty_prompt(painter)
    theirs = painter.encode_prompt("a cat", device="cpu", num_images_per_prompt=1, do_classifier_free_guidance=True)
    ours = (prompts.prompt_embeds, empty.prompt_embeds, prompts.pooled_prompt_embeds, empty.pooled_prompt_embeds)
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
    assert prompts.added_cond_kwargs()["time_ids"].tolist() == [[32, 32, 0, 0, 32, 32]]


def test_prompts_of_another_size_tell_sdxl_that_size_and_nothing_else():
    prompts = encode_prompts(tiny_sdxl(), ["a cat", "a dog"])
    wide = prompts.at_size(32, 48)
    assert wide.added_cond_kwargs()["time_ids"].tolist() == [[32, 48, 0, 0, 32, 48]] * 2
    assert wide.prompt_embeds is prompts.prompt_embeds and wide.pooled_prompt_embeds is prompts.pooled_prompt_embeds


def test_without_forced_zeros_the_empty_prompt_is_encoded():
    painter = tiny_sdxl()
    painter.register_to_config(force_zeros_for_empty_prompt=False)
    empty = encode_empty_prompt(painter)
    theirs = painter.encode_prompt("a cat", device="cpu", num_images_per_prompt=1, do_classifier_free_guidance=True)
    assert torch.equal(empty.prompt_embeds, theirs[1]) and torch.equal(empty.pooled_prompt_embeds, theirs[3])


def test_prompts_are_repeated_joined_and_picked_in_all_their_parts():
    both = PromptEmbeds(torch.arange(2.0)[:, None, None], torch.arange(2.0)[:, None], torch.arange(2.0)[:, None])
    joined = both[[1]].expanded(2).followed_by(both.repeated(2))
    for part in (joined.prompt_embeds, joined.pooled_prompt_embeds, joined.add_time_ids):
        assert part.flatten().tolist() == [1, 1, 0, 0, 1, 1]
    assert len(joined) == 6


def test_pictures_have_the_size_the_unet_was_trained_on(painter):
    painter.unet.register_to_config(sample_size=(16, 24))
    assert image_size(painter) == (32, 48)
