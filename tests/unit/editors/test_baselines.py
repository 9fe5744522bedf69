from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_models import psnr, tiny_image
from tiny_painter import save_models, tiny_painter

from editfoundry.diffusion.ddim_inversion import DdimSchedule, invert, predictor, sample
from editfoundry.diffusion.decoding import decode
from editfoundry.diffusion.encoding import encode
from editfoundry.diffusion.prompt_embeds import encode_prompts
from editfoundry.editors.baselines import BASELINES, open_baseline
from editfoundry.editors.families.diffedit.editing import DiffEditSettings, difference_mask, masked_decoding
from editfoundry.editors.families.instruct_pix2pix.sampling import edit_images
from editfoundry.editors.families.prompt_to_prompt.editing import edit_latents
from editfoundry.editors.families.prompt_to_prompt.settings import PromptToPromptSettings
from editfoundry.errors import BadInputError
from editfoundry.evaluation.editing import run_editor
from editfoundry.evaluation.item_editors import editor_of
from editfoundry.pretrained.editor import load_editor_base
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.pretrained.text_to_image import load_text_to_image
from editfoundry.profiles import load_profile
from editfoundry.tinyworld.benchmark import plain_cases

RUNTIME = choose_runtime("cpu")
STEPS = {"num_inference_steps": 3}


@pytest.fixture(scope="module")
def profile(tmp_path_factory):
    return load_profile(save_models(tmp_path_factory.mktemp("baselines")))


@pytest.fixture(scope="module")
def cases():
    return plain_cases(3, seed=0)


@pytest.mark.parametrize("name", ["base", "sdedit", "diffedit", "prompt-to-prompt"])
def test_edits_have_their_pictures_sizes_and_follow_from_the_seeds(name, profile):
    settings = {**STEPS, "num_maps": 2} if name == "diffedit" else STEPS
    editor = open_baseline(name, profile, RUNTIME, **settings)
    images = [tiny_image(1, (40, 24)), tiny_image(2), tiny_image(3, (40, 24))]
    items = [
        SimpleNamespace(id=str(i), input_caption="a cat in sea", output_caption=text)
        for i, text in enumerate(("a wet cat", "a fox in sea", "a dog"))
    ]

    def edit(order, seeds):
        bound = editor_of(editor, [items[i] for i in order])
        return bound([images[i] for i in order], ["melt it"] * len(order), [seeds[i] for i in order])

    edited = edit([0, 1, 2], [5, 6, 7])
    assert [e.size for e in edited] == [(40, 24), (32, 32), (40, 24)]
    assert all(e.mode == "RGB" for e in edited)
    again = edit([2, 0], [5, 6, 7])
    # Alone or in another batch the same, up to rounding.
    assert min(psnr(again[0], edited[2]), psnr(again[1], edited[0])) > 45
    differs = edit([1], [5, 8, 7])[0].tobytes() != edited[1].tobytes()
    # Prompt-to-prompt draws nothing, and DiffEdit's noise may leave the same mask.
    assert differs or name in ("prompt-to-prompt", "diffedit")


def test_base_is_the_profiles_editor(profile):
    editor = open_baseline("base", profile, RUNTIME, guidance_scale=4.0, **STEPS)
    expected = edit_images(
        load_editor_base(profile, RUNTIME), [tiny_image(1)], ["melt"], seeds=[3], guidance_scale=4.0, **STEPS
    )
    assert editor([tiny_image(1)], ["melt"], [3])[0].tobytes() == expected[0].tobytes()


def test_input_and_truth_are_the_bounds_and_items_without_what_is_needed_fail_by_name(profile, cases):
    seeds = [0] * len(cases)
    for name, expected in (("input", "input_image"), ("truth", "true_output")):
        edits = run_editor(open_baseline(name, profile, RUNTIME), cases, seeds)
        assert all(np.array_equal(e.image, getattr(c, expected)) for e, c in zip(edits, cases, strict=True))
    blind = SimpleNamespace(id="x", open_truth=lambda: None)
    with pytest.raises(Exception, match="no-truth: x"):
        editor_of(open_baseline("truth", profile, RUNTIME), [blind])
    lacking = [replace(cases[0], output_caption=""), cases[1]]
    sdedit = open_baseline("sdedit", profile, RUNTIME, **STEPS)
    assert [e.failure for e in run_editor(sdedit, lacking, seeds[:2])] == ["no-caption", None]
    with pytest.raises(BadInputError, match="items"):
        sdedit([tiny_image(0)], ["melt"], [0])


def test_names_and_settings_that_are_not_there_are_refused(profile):
    with pytest.raises(BadInputError, match="prompt-to-prompt"):
        open_baseline("p2p", profile, RUNTIME)
    with pytest.raises(BadInputError, match="no setting 'tau'"):
        open_baseline("sdedit", profile, RUNTIME, tau=1)
    with pytest.raises(BadInputError, match="no settings"):
        open_baseline("input", profile, RUNTIME, tau=1)
    assert set(BASELINES) == {"input", "truth", "base", "sdedit", "diffedit", "prompt-to-prompt"}


@torch.no_grad()
def test_diffedit_keeps_the_latents_outside_its_mask_and_changes_nothing_where_the_captions_agree():
    painter, settings = tiny_painter(), DiffEditSettings(num_inference_steps=4, num_maps=2)
    latents = encode(painter, [tiny_image(1), tiny_image(2)])
    before, after = (encode_prompts(painter, texts) for texts in (["a cat", "a cat"], ["a cat", "a red fox"]))
    mask = difference_mask(painter, latents, before, after, [0, 1], settings)
    assert mask.shape == (2, 1, 16, 16)
    assert not mask[0].any()
    assert mask[1].any()
    half = torch.zeros_like(mask)
    half[..., :8] = True
    edited = masked_decoding(painter, latents, after, half, settings)
    assert torch.equal(edited[..., 8:], latents[..., 8:])
    assert not torch.allclose(edited[..., :8], latents[..., :8], atol=1e-2)


@pytest.fixture(scope="module")
def embedded():
    return load_text_to_image(load_profile("embedded"), RUNTIME)


@pytest.fixture(scope="module")
def change(cases):
    """A plain edit of one tinyworld scene."""
    return next(case for case in cases if case.category == "change")


@torch.no_grad()
def test_the_embedded_painters_inversion_goes_round(embedded, change):
    latents = encode(embedded, [Image.fromarray(change.input_image)])
    schedule = DdimSchedule.of(embedded, 10)
    predict = predictor(embedded, schedule, encode_prompts(embedded, [change.input_caption]))
    (expected,) = decode(embedded, latents)
    found = []
    for num_refinements in (0, 1):
        start = invert(schedule, predict, latents, 0, num_refinements)[0]
        found.append(psnr(decode(embedded, sample(schedule, predict, start))[0], expected))
    assert found[0] > 33
    assert found[1] > found[0]


def test_shared_attention_keeps_the_embedded_painters_edit_nearer_to_the_input(embedded, change):
    settings = PromptToPromptSettings(
        num_inference_steps=5, guidance_scale=4.0, num_refinements=1, self_share=1.0, cross_share=1.0
    )
    latents = encode(embedded, [Image.fromarray(change.input_image)]).clone()
    captions = [change.input_caption], [change.output_caption]
    kept, shared = edit_latents(embedded, latents, *captions, settings)
    alone = edit_latents(embedded, latents, *captions, replace(settings, cross_share=0.0, self_share=0.0))[1]
    distances = [float((edited - kept).square().mean()) for edited in (shared, alone)]
    assert 0 < distances[0] < 0.95 * distances[1]


def test_diffedit_of_the_embedded_painter_leaves_what_is_outside_its_mask(embedded, change):
    settings = DiffEditSettings(num_inference_steps=5, num_maps=3, guidance_scale=4.0)
    latents = encode(embedded, [Image.fromarray(change.input_image)])
    before, after = (encode_prompts(embedded, [t]) for t in (change.input_caption, change.output_caption))
    mask = difference_mask(embedded, latents, before, after, [0], settings)
    assert 0 < mask.float().mean() < 0.6
    edited, kept = (
        np.asarray(decode(embedded, z)[0], dtype=float)
        for z in (masked_decoding(embedded, latents, after, mask, settings), latents)
    )
    side = change.input_image.shape[0] // mask.shape[-1]
    # The decoder spreads a change over its neighbours, and a little, by its normalisation, over everything.
    near = torch.nn.functional.max_pool2d(mask.float(), 5, 1, 2)[0, 0].numpy().astype(bool)
    near = near.repeat(side, 0).repeat(side, 1)
    difference = np.abs(edited - kept).mean(-1)
    assert difference[~near].mean() < 8
    assert difference[near].mean() > 4 * difference[~near].mean()
