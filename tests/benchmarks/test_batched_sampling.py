"""Side by side: one batched call of ours against diffusers' pipelines called one picture at a time."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from PIL import Image

from editfoundry.diffusion.decoding import decode
from editfoundry.diffusion.prompt_embeds import encode_prompts
from editfoundry.diffusion.sampling import denoise, noise_for, record_generator
from editfoundry.editors.families.instruct_pix2pix.sampling import edit_images
from editfoundry.pretrained.editor_base import load_editor_base
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.pretrained.text_to_image import load_text_to_image
from editfoundry.profiles import load_profile
from editfoundry.tinyworld.scene import render
from editfoundry.tinyworld.scene_sampling import random_stream, sample_scene

sys.path.insert(0, str(Path(__file__).parent))

from page import machine, write_section  # noqa: E402

NUM_PICTURES = 32
NUM_STEPS = 10


def test_batched_sampling_against_one_picture_at_a_time() -> None:
    profile, runtime = load_profile("embedded"), choose_runtime("cpu")
    painter, editor = load_text_to_image(profile, runtime), load_editor_base(profile, runtime)
    scenes = [sample_scene(random_stream("bench", i)) for i in range(NUM_PICTURES)]
    captions = [scene.caption for scene in scenes]
    images = [Image.fromarray(render(scene)) for scene in scenes]

    def paint_batch() -> None:
        noise = noise_for(painter, [record_generator(0, str(i), "bench", 0) for i in range(NUM_PICTURES)])
        decode(painter, denoise(painter, encode_prompts(painter, captions), noise, NUM_STEPS, 4.0))

    def paint_singly() -> None:
        for number, caption in enumerate(captions):
            generator = torch.Generator().manual_seed(number)
            painter(caption, num_inference_steps=NUM_STEPS, guidance_scale=4.0, generator=generator)

    def edit_batch() -> None:
        edit_images(
            editor, images, captions, seeds=range(NUM_PICTURES), num_inference_steps=NUM_STEPS, guidance_scale=4.0
        )

    def edit_singly() -> None:
        for number, (image, caption) in enumerate(zip(images, captions, strict=True)):
            generator = torch.Generator().manual_seed(number)
            editor(caption, image, num_inference_steps=NUM_STEPS, guidance_scale=4.0, generator=generator)

    runs_of = {"text to image": (paint_batch, paint_singly), "edit": (edit_batch, edit_singly)}
    rates = {name: tuple(NUM_PICTURES / _seconds(run) for run in runs) for name, runs in runs_of.items()}
    rows = [f"| {name} | {ours:.1f} | {theirs:.1f} | {ours / theirs:.2f} |" for name, (ours, theirs) in rates.items()]
    table = "\n".join(["| pictures/s | batched | diffusers, one at a time | ratio |", "|---|---|---|---|", *rows])
    about = f"{machine()}; {NUM_PICTURES} pictures, {NUM_STEPS} steps."
    write_section("Batched sampling", f"{about}\n\n{table}")
    print(f"\n{table}")
    assert all(ours >= theirs for ours, theirs in rates.values()), rates


def _seconds(run: Callable[[], None]) -> float:
    times = []
    for _ in range(3):
        started = time.perf_counter()
        run()
        times.append(time.perf_counter() - started)
    return sorted(times)[1]
