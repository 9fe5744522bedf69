"""Side by side: one edit by our sampling, by diffusers' pipeline, and with the post-edit.

All three have the same weights, picture, seed, steps and scales. The post-edit needs the embedded profile's segmenter,
ControlNet and IP-Adapter; without them its row is left out. ``EDITFOUNDRY_BENCH_STEPS`` sets the steps.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import torch
from PIL import Image
from timing import alternating_seconds, record

from editfoundry.editors.editor import EditRequest
from editfoundry.editors.families.instruct_pix2pix.family import editor_of_pipeline
from editfoundry.editors.families.instruct_pix2pix.sampling import edit_images
from editfoundry.editors.post_edit.post_edit import post_edit_batch
from editfoundry.editors.post_edit.post_edit_config import PostEditConfig
from editfoundry.editors.post_edit.post_edit_models import load_post_edit_models
from editfoundry.errors import MissingModelError
from editfoundry.pretrained.editor_base import load_editor_base
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.profiles import load_profile
from editfoundry.tinyworld.scene import render
from editfoundry.tinyworld.scene_sampling import random_stream, sample_scene

NUM_STEPS = int(os.environ.get("EDITFOUNDRY_BENCH_STEPS", "20"))
INSTRUCTION = "Add a red apple."
SLOWER_AT_MOST = 1.1
"""Times what diffusers' own pipeline takes for the same edit."""
SCALES = {"guidance_scale": 4.0, "image_guidance_scale": 1.5}


def test_edit_latency() -> None:
    profile, runtime = load_profile("embedded"), choose_runtime("auto")
    editor = load_editor_base(profile, runtime)
    image = Image.fromarray(render(sample_scene(random_stream("bench", 0))))
    options = {"num_inference_steps": NUM_STEPS, **SCALES}

    def ours() -> None:
        edit_images(editor, [image], [INSTRUCTION], seeds=[0], **options)

    def theirs() -> None:
        editor(INSTRUCTION, image, generator=torch.Generator().manual_seed(0), **options)

    runs: dict[str, Callable[[], None]] = {"diffusers' pipeline": theirs, "editfoundry": ours}
    try:
        models = load_post_edit_models(profile, runtime)
    except MissingModelError as error:
        print(f"no post-edit here: {error}")
    else:
        config = PostEditConfig.of_profile(profile)
        request = EditRequest(image=image, instruction=INSTRUCTION)
        opened = editor_of_pipeline(editor, **options)
        runs["editfoundry, post-edit"] = lambda: post_edit_batch(opened, models, [request], config)
    seconds = dict(zip(runs, alternating_seconds(list(runs.values())), strict=True))
    plain = seconds["editfoundry"]
    rows = [[name, f"{1000 * taken:.0f}", f"{taken / plain:.2f}"] for name, taken in seconds.items()]
    record(
        "Edit latency",
        f"One 64 x 64 picture, {NUM_STEPS} steps; each run in turns, medians.",
        ["edit", "ms", "of editfoundry's plain edit"],
        rows,
    )
    assert plain <= SLOWER_AT_MOST * seconds["diffusers' pipeline"], seconds
