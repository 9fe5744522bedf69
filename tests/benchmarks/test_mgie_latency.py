"""Side by side: an edit by MGIE and by InstructPix2Pix, of the same UNet, steps, picture and scales.

The language model is the embedded one with the picture tokens; its head says words of an answer's length, 24 and then
the tokens, as an untrained one would say anything. ``EDITFOUNDRY_BENCH_STEPS`` sets the steps, by default the 100 that
the paper samples with (9.2 s to 6.8 s on an A100 there).
"""

from __future__ import annotations

import os
import time
from typing import Any

import pytest
import torch
from PIL import Image
from timing import alternating_seconds, record

from editfoundry.editors.families.instruct_pix2pix.sampling import edit_images
from editfoundry.editors.families.mgie.edit_head import EditHead
from editfoundry.editors.families.mgie.model import MgieModel
from editfoundry.editors.families.mgie.picture_tokens import add_picture_tokens
from editfoundry.editors.families.mgie.pipeline import MgiePipeline
from editfoundry.pretrained.editor_base import load_editor_base
from editfoundry.pretrained.runtime import Runtime, choose_runtime
from editfoundry.pretrained.vision_language_model import open_vision_language_model
from editfoundry.pretraining.recipes.mgie import HEAD
from editfoundry.profiles import load_profile
from editfoundry.tinyworld.scene import render
from editfoundry.tinyworld.scene_sampling import random_stream, sample_scene

NUM_STEPS = int(os.environ.get("EDITFOUNDRY_BENCH_STEPS", "100"))
NUM_WORDS = 24
"""Tokens of an answer: about what a true caption of tinyworld has."""
INSTRUCTION = "It gets old."
SLOWER_AT_MOST = 1.4
"""Times InstructPix2Pix's edit; the paper's is 1.35."""
SCALES = {"guidance_scale": 4.0, "image_guidance_scale": 1.5}


def test_an_edit_by_mgie_takes_little_longer_than_one_by_instruct_pix2pix(monkeypatch: pytest.MonkeyPatch) -> None:
    # Untrained, it would not end either.
    monkeypatch.setattr("editfoundry.editors.families.mgie.model.MAX_NEW_TOKENS", NUM_WORDS)
    profile, runtime = load_profile("embedded"), choose_runtime("auto")
    editor = load_editor_base(profile, runtime)
    model = mgie_of(editor, runtime)
    image = Image.fromarray(render(sample_scene(random_stream("bench", 0))))
    options = {"num_inference_steps": NUM_STEPS, **SCALES}
    thinking: list[float] = []

    def plain() -> None:
        edit_images(editor, [image], [INSTRUCTION], seeds=[0], **options)

    def told() -> None:
        started = time.perf_counter()
        imagined = model.imagine([image], [INSTRUCTION])
        if runtime.device.type == "cuda":
            torch.cuda.synchronize()
        thinking.append(time.perf_counter() - started)
        edit_images(
            model.pipeline,
            [image],
            [INSTRUCTION],
            seeds=[0],
            prompt_embeds=imagined.prompt_embeds.to(editor.unet.dtype),
            negative_prompt_embeds=imagined.null_embeds.to(editor.unet.dtype),
            **options,
        )

    seconds = alternating_seconds([plain, told])
    share = sorted(thinking[1:])[len(thinking[1:]) // 2] / seconds[1]
    rows = [
        ["InstructPix2Pix", f"{1000 * seconds[0]:.0f}", "1.00", "–"],
        ["MGIE", f"{1000 * seconds[1]:.0f}", f"{seconds[1] / seconds[0]:.2f}", f"{share:.0%}"],
    ]
    record(
        "MGIE's latency",
        f"One 64 x 64 picture, {NUM_STEPS} steps, an answer of {NUM_WORDS} tokens; each run in turns, medians. In the "
        "paper MGIE takes 9.2 s and InstructPix2Pix 6.8 s.",
        ["edit by", "ms", "of InstructPix2Pix's", "the language model's share"],
        rows,
    )
    assert seconds[1] <= SLOWER_AT_MOST * seconds[0], rows


def mgie_of(editor: Any, runtime: Runtime) -> MgieModel:
    """Return an editor with the base's UNet, whose language model answers with `NUM_WORDS` tokens."""
    mllm = open_vision_language_model(load_profile("embedded").model("vision_language_model"), runtime)
    add_picture_tokens(mllm.model, mllm.processor)
    sizes = {name.replace("head_", "", 1): value for name, value in HEAD.items()}
    width = mllm.model.get_input_embeddings().weight.shape[1]
    head = EditHead(
        state_dim=width,
        output_dim=editor.unet.config.cross_attention_dim,
        hidden_dim=sizes["dim"],
        num_layers=sizes["layers"],
        num_heads=sizes["heads"],
        feedforward_dim=sizes["feedforward_dim"],
        num_queries=editor.tokenizer.model_max_length,
    ).eval()
    # Untrained, it would end at once.
    mllm.model.generation_config.min_new_tokens = NUM_WORDS
    pipeline = MgiePipeline(editor.vae, editor.unet, editor.scheduler)
    return MgieModel(pipeline, mllm, head.to(runtime.device, editor.unet.dtype))
