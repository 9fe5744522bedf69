from dataclasses import replace

from PIL import Image

from editfoundry.diffusion.encoding import encode
from editfoundry.editors.families.prompt_to_prompt.editing import edit_latents
from editfoundry.editors.families.prompt_to_prompt.options import PromptToPromptOptions
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.pretrained.text_to_image import load_text_to_image
from editfoundry.profiles import load_profile
from editfoundry.tinyworld.benchmark import plain_cases


def test_shared_attention_keeps_the_embedded_painters_edit_nearer_to_the_input():
    embedded = load_text_to_image(load_profile("embedded"), choose_runtime("cpu"))
    change = next(case for case in plain_cases(3, seed=0) if case.category == "change")
    options = PromptToPromptOptions(
        num_inference_steps=5, guidance_scale=4.0, num_refinements=1, self_share=1.0, cross_share=1.0
    )
    latents = encode(embedded, [Image.fromarray(change.input_image)]).clone()
    captions = [change.input_caption], [change.output_caption]
    kept, shared = edit_latents(embedded, latents, *captions, options)
    alone = edit_latents(embedded, latents, *captions, replace(options, cross_share=0.0, self_share=0.0))[1]
    distances = [float((edited - kept).square().mean()) for edited in (shared, alone)]
    assert 0 < distances[0] < 0.95 * distances[1]
