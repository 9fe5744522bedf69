"""Measures each embedded model on held-out scenes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from PIL import Image

from editfoundry.editors.editing_defaults import EditingDefaults
from editfoundry.editors.editor import Editor
from editfoundry.editors.open_editor import BASE, open_editor
from editfoundry.evaluation.benchmarks.tinyworld import item_of_case
from editfoundry.evaluation.controls import another_items
from editfoundry.pretrained.clip import load_clip
from editfoundry.pretrained.runtime import Runtime
from editfoundry.pretrained.text_to_image import load_text_to_image
from editfoundry.pretraining.edit_verdicts import edit_verdicts
from editfoundry.pretraining.measure_detector import measure_detector
from editfoundry.pretraining.measure_emu_edit import measure_emu_edit
from editfoundry.pretraining.measure_inpainting import measure_inpainting
from editfoundry.pretraining.measure_judge import measure_vision_language_model
from editfoundry.pretraining.measure_language_model import measure_language_model
from editfoundry.pretraining.measure_video_language_model import measure_video_language_model
from editfoundry.pretraining.recipes.clip import measure_clip, twin_scenes
from editfoundry.pretraining.recipes.controlnet import measure_controlnet
from editfoundry.pretraining.recipes.depth import measure_depth
from editfoundry.pretraining.recipes.ip_adapter import measure_ip_adapter
from editfoundry.pretraining.recipes.segmenter import measure_segmenter
from editfoundry.pretraining.recipes.summarizer import measure_summarizer
from editfoundry.pretraining.recipes.task_predictor import measure_task_predictor
from editfoundry.pretraining.recipes.vae import reconstruction_psnr, task_picture
from editfoundry.profiles import Profile
from editfoundry.tinyworld.benchmark import ambiguous_cases, plain_cases, world_cases
from editfoundry.tinyworld.captions import scene_from_caption
from editfoundry.tinyworld.edit_case import EditCase
from editfoundry.tinyworld.edits import REPLACE_WORDINGS, STATE_WORDINGS, state_wording, the_phrase
from editfoundry.tinyworld.scene import IMAGE_SIZE, SceneObject, render
from editfoundry.tinyworld.scene_sampling import random_stream, sample_scene

NUM_SCENES = 512
NUM_GENERATED = 256
NUM_EDITS = 150
NUM_WORLD_EDITS = 350
NUM_AMBIGUOUS_EDITS = 258
NUM_CHOICES = 16
NUM_INFERENCE_STEPS = 20
PAINTING_GUIDANCE_SCALE = 4.0
GUIDANCE_SCALE = 1.5
IMAGE_GUIDANCE_SCALE = 1.0
"""Weak, both: of these small editors, which are sure of what is asked, stronger guidance burns the colours."""
SAMPLING: Mapping[str, Any] = {
    "num_inference_steps": NUM_INFERENCE_STEPS,
    "guidance_scale": GUIDANCE_SCALE,
    "image_guidance_scale": IMAGE_GUIDANCE_SCALE,
}
"""Options of the editors that are measured."""
PAINTING = EditingDefaults(options={}, made_for=f"tinyworld's drawn pictures of {IMAGE_SIZE} pixels", side=IMAGE_SIZE)
"""What the painter's folder says of the pictures that it knows."""
EDITING = EditingDefaults(
    options=SAMPLING, made_for=f"tinyworld's drawn pictures of {IMAGE_SIZE} pixels", side=IMAGE_SIZE
)
"""What the shipped editors' folders say about editing with them: the sampling that their cards' figures are of."""

Measures = dict[str, float]


def measure_text_to_image(profile: Profile, runtime: Runtime) -> Measures:
    """Return the VAE's PSNR and how often CLIP picks the right caption of 16 for a generated picture."""
    pipeline: Any = load_text_to_image(profile, runtime)
    scenes = [sample_scene(random_stream("measure", "test", i), "test") for i in range(NUM_SCENES)]
    pictures = np.stack([render(scene) for scene in scenes])
    of_tasks = np.stack([task_picture("test", number) for number in range(NUM_SCENES)])
    return {
        "vae_reconstruction_psnr_db": reconstruction_psnr(pipeline.vae, pictures, runtime.device),
        "vae_reconstruction_psnr_db_of_tasks": reconstruction_psnr(pipeline.vae, of_tasks, runtime.device),
        "caption_picked_among_16": _named_share(pipeline, [s.caption for s in scenes], profile, runtime),
    }


def measure_clip_model(profile: Profile, runtime: Runtime) -> Measures:
    """Return caption retrieval among 64 and accuracy against hard negatives."""
    clip = load_clip(profile, runtime)
    scenes = twin_scenes("test", NUM_SCENES)
    pictures = np.stack([render(scene) for scene in scenes])
    return measure_clip(clip.model, clip.processor.tokenizer, pictures, scenes, runtime.device)


def measure_editor_base(profile: Profile, runtime: Runtime) -> Measures:
    """Return the shares of right edits on plain edits, and on world instructions, which this editor must not know.

    The outcomes of the latter are asked for in plain words, too: with size and colour, and by kind and state alone.
    What it cannot do then, no fine-tuning on instructions alone can teach it.
    """
    editor = open_editor(BASE, runtime, profile, **SAMPLING)
    plain, world = plain_cases(NUM_EDITS, seed=1), world_cases("test", NUM_EDITS, seed=1)
    changes = [_changed(case) for case in world]
    named = [REPLACE_WORDINGS[2].format(the=the_phrase(before), phrase=after.phrase) for before, after in changes]
    states = [state_wording(STATE_WORDINGS[2], before, after) for before, after in changes]
    return {
        **_shares(editor, plain, "plain"),
        **_shares(editor, world, "world"),
        "world_right_in_plain_words": _right(editor, world, named),
        "world_right_by_state_alone": _right(editor, world, states),
    }


def measure_editworld(profile: Profile, runtime: Runtime) -> Measures:
    """Return the shares of right edits on world instructions, in trained wordings, by new rules, on plain edits."""
    editor = open_editor("package:editworld", runtime, **SAMPLING)
    benchmarks = {
        "world": world_cases("test", NUM_WORLD_EDITS, seed=1),
        "trained_wordings": world_cases("test", NUM_EDITS, seed=1, held_out_wording=False),
        "new_rules": world_cases("test-new-rules", NUM_EDITS, seed=1),
        "plain": plain_cases(NUM_EDITS, seed=1),
    }
    measures: Measures = {}
    for name, cases in benchmarks.items():
        measures |= _shares(editor, cases, name)
    return measures


def measure_mgie(profile: Profile, runtime: Runtime) -> Measures:
    """Return the shares of right edits on instructions that only the picture makes clear, and on plain edits."""
    editor = open_editor("package:mgie", runtime, **SAMPLING)
    ambiguous = ambiguous_cases(NUM_AMBIGUOUS_EDITS, seed=1)
    return {**_shares(editor, ambiguous, "ambiguous"), **_shares(editor, plain_cases(NUM_EDITS, seed=1), "plain")}


def _changed(case: EditCase) -> tuple[SceneObject, SceneObject]:
    """Return the object that a world instruction changes, before and after."""
    before, after = (scene_from_caption(text).objects for text in (case.input_caption, case.output_caption))
    return next((old, new) for old, new in zip(before, after, strict=True) if old != new)


def _right(editor: Editor, cases: list[EditCase], instructions: list[str]) -> float:
    return float(np.mean([verdict.right for verdict in edit_verdicts(editor, cases, instructions)]))


def _shares(editor: Editor, cases: list[EditCase], name: str) -> Measures:
    """Return the shares of right and of sharp edits, overall and by category, and of right ones by the control."""
    verdicts = edit_verdicts(editor, cases, [case.instruction for case in cases])
    shares = {
        f"{name}_right": np.mean([v.right for v in verdicts]),
        f"{name}_sharp": np.mean([v.sharp for v in verdicts]),
    }
    others = [other for other in another_items([item_of_case(case) for case in cases]) if other is not None]
    if len(others) == len(cases):
        controls = edit_verdicts(editor, cases, [other.instruction for other in others])
        shares[f"{name}_right_by_another"] = np.mean([v.right for v in controls])
    categories = sorted({case.category for case in cases})
    for category in categories if len(categories) > 1 else ():
        chosen = [v.right for v, case in zip(verdicts, cases, strict=True) if case.category == category]
        shares[f"{name}_right_{category}"] = np.mean(chosen)
    return {label: float(share) for label, share in shares.items()}


MEASURES = {
    "text_to_image": measure_text_to_image,
    "clip": measure_clip_model,
    "editor_base": measure_editor_base,
    "controlnet_canny": measure_controlnet,
    "ip_adapter": measure_ip_adapter,
    "language_model": measure_language_model,
    "vision_language_model": measure_vision_language_model,
    "video_language_model": measure_video_language_model,
    "segmenter": measure_segmenter,
    "detector": measure_detector,
    "depth": measure_depth,
    "editworld": measure_editworld,
    "emu_edit": lambda profile, runtime: measure_emu_edit(profile, runtime, **SAMPLING),
    "task_predictor": measure_task_predictor,
    "summarizer": measure_summarizer,
    "mgie": measure_mgie,
    "inpainter": lambda profile, runtime: measure_inpainting(profile, runtime, "package:inpainter"),
    "imagen_editor": lambda profile, runtime: measure_inpainting(profile, runtime, "package:imagen_editor"),
}


def _named_share(pipeline: Any, captions: list[str], profile: Profile, runtime: Runtime) -> float:
    captions = list(dict.fromkeys(captions))[:NUM_GENERATED]
    clip = load_clip(profile, runtime)
    images = generate(pipeline, captions, seed=0)
    similarity = clip.encode_images(images) @ clip.encode_texts(captions).T
    hits = 0
    for index in range(len(captions)):
        others = random_stream("choices", index).permutation([i for i in range(len(captions)) if i != index])
        choices = [index, *others[: NUM_CHOICES - 1].tolist()]
        hits += int(similarity[index, choices].argmax() == 0)
    return hits / len(captions)


def generate(pipeline: Any, captions: list[str], seed: int, batch_size: int = 64) -> list[Image.Image]:
    """Paint each caption once, each picture from a seed of its own."""
    images: list[Image.Image] = []
    for start in range(0, len(captions), batch_size):
        batch = captions[start : start + batch_size]
        generators = [torch.Generator().manual_seed(seed + start + i) for i in range(len(batch))]
        images += pipeline(
            batch, num_inference_steps=NUM_INFERENCE_STEPS, guidance_scale=PAINTING_GUIDANCE_SCALE, generator=generators
        ).images
    return images
