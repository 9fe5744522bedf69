import numpy as np
import torch
from PIL import Image
from tiny_models import tiny_image
from tiny_painter import tiny_painter

from editfoundry.diffusion.decoding import decode
from editfoundry.diffusion.encoding import encode
from editfoundry.diffusion.prompt_embeds import encode_prompts
from editfoundry.editors.families.diffedit.editing import difference_mask, masked_decoding
from editfoundry.editors.families.diffedit.options import DiffEditOptions
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.pretrained.text_to_image import load_text_to_image
from editfoundry.profiles import load_profile
from editfoundry.tinyworld.benchmark import plain_cases


@torch.no_grad()
def test_diffedit_keeps_the_latents_outside_its_mask_and_changes_nothing_where_the_captions_agree():
    painter, options = tiny_painter(), DiffEditOptions(num_inference_steps=4, num_maps=2)
    latents = encode(painter, [tiny_image(1), tiny_image(2)])
    before, after = (encode_prompts(painter, texts) for texts in (["a cat", "a cat"], ["a cat", "a red fox"]))
    mask = difference_mask(painter, latents, before, after, [0, 1], options)
    assert mask.shape == (2, 1, 16, 16)
    assert not mask[0].any()
    assert mask[1].any()
    half = torch.zeros_like(mask)
    half[..., :8] = True
    edited = masked_decoding(painter, latents, after, half, options)
    assert torch.equal(edited[..., 8:], latents[..., 8:])
    assert not torch.allclose(edited[..., :8], latents[..., :8], atol=1e-2)


def test_diffedit_of_the_embedded_painter_leaves_what_is_outside_its_mask():
    embedded = load_text_to_image(load_profile("embedded"), choose_runtime("cpu"))
    change = next(case for case in plain_cases(3, seed=0) if case.category == "change")
    options = DiffEditOptions(num_inference_steps=5, num_maps=3, guidance_scale=4.0)
    latents = encode(embedded, [Image.fromarray(change.input_image)])
    before, after = (encode_prompts(embedded, [t]) for t in (change.input_caption, change.output_caption))
    mask = difference_mask(embedded, latents, before, after, [0], options)
    assert 0 < mask.float().mean() < 0.6
    edited, kept = (
        np.asarray(decode(embedded, z)[0], dtype=float)
        for z in (masked_decoding(embedded, latents, after, mask, options), latents)
    )
    side = change.input_image.shape[0] // mask.shape[-1]
    # The decoder spreads a change over its neighbours, and a little, by its normalisation, over everything.
    near = torch.nn.functional.max_pool2d(mask.float(), 5, 1, 2)[0, 0].numpy().astype(bool)
    near = near.repeat(side, 0).repeat(side, 1)
    difference = np.abs(edited - kept).mean(-1)
    assert difference[~near].mean() < 8
    assert difference[near].mean() > 4 * difference[~near].mean()
