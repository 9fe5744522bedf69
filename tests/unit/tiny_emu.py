"""Tiny random models of every role that Emu Edit's pairs take, and a language model that is asked for edits."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import tiny_painter
import torch
from tiny_sam import tiny_sam_config
from transformers import GroundingDinoForObjectDetection

from editfoundry.curation.score_filters import ClipThresholds
from editfoundry.data.edit_tasks import EditTask
from editfoundry.data.record import Caption
from editfoundry.pretrained.chat import ChatAnswer, Request, Sampling
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.pretrained.segmenter import build_sam, save_sam
from editfoundry.pretraining.recipes.depth import build_depth, build_image_processor
from editfoundry.pretraining.recipes.detector import build_processor, detector_config
from editfoundry.profiles import load_profile
from editfoundry.synthesis.emu_edit.config import EmuPairConfig
from editfoundry.synthesis.emu_edit.models import EmuModels, load_emu_models
from editfoundry.synthesis.emu_edit.task_instruction import TaskInstruction
from editfoundry.synthesis.emu_edit.task_settings import (
    GlobalSettings,
    InpaintingSettings,
    MaskSettings,
    RegionSettings,
    StyleSettings,
)

OPEN = ClipThresholds(clip_input=-1, clip_output=-1, clip_image=-1, clip_direction=-1)
CONFIG = EmuPairConfig(
    tasks=("local", "remove", "add", "background", "global", "style", "color"),
    tasks_per_caption=7,
    num_inference_steps=2,
    region=RegionSettings(num_draws=2),
    whole=GlobalSettings(num_draws=1),
    style=StyleSettings(num_draws=1),
    inpainting=InpaintingSettings(num_draws=1),
    masks=MaskSettings(detector_threshold=0.0, min_fit=0.0),
    thresholds=OPEN,
    max_depth_difference=None,
    confirms=False,
    edits_per_batch=3,
)
"""Whatever the random models find is good enough."""
ANSWERS = {
    "local": {"edit": "swap it", "edited_object": "dog", "output": "a dog in sea", "original_object": "{thing}"},
    "texture": {"edit": "stripe it", "edited_object": "dot", "output": "a dot in sea", "original_object": "{thing}"},
    "remove": {"edit": "remove it", "edited_object": "", "output": "sea", "original_object": "{thing}"},
    "add": {"edit": "add hat", "edited_object": "hat", "output": "a {thing} a hat in sea", "original_object": ""},
    "background": {"edit": "move it", "edited_object": "", "output": "a {thing} in ice", "original_object": ""},
    "global": {"edit": "night", "edited_object": "", "output": "a {thing} in sea night", "original_object": ""},
    "style": {"edit": "draw it", "edited_object": "", "output": "art of a {thing} sea", "original_object": ""},
    "color": {"edit": "make it darker", "edited_object": "", "output": "dark {thing} in sea", "original_object": ""},
}
"""Task -> a good answer for the caption ``a {thing} in sea``."""


def captions(*things: str) -> list[Caption]:
    """Return captions that the tiny tokenizer reads to their ends."""
    return [Caption(caption=f"a {thing} in sea", url=f"https://a.invalid/{thing}") for thing in things]


def instruction(task: str, thing: str = "cat") -> TaskInstruction:
    """Return the edit that the good answer says."""
    said = {name: text.format(thing=thing) for name, text in ANSWERS[task].items()}
    return TaskInstruction(task=EditTask(task), caption=f"a {thing} in sea", source="test", **said)


class Agent:
    """Answers as ``ANSWERS`` says, or as ``say`` does where it gives something."""

    def __init__(self, say: Callable[[str, str], str | None] = lambda task, caption: None) -> None:
        self.say, self.num_asked = say, 0

    def answer(
        self, requests: Sequence[Request], sampling: Sampling, record: Callable[[int, ChatAnswer], None]
    ) -> None:
        """Answer every request."""
        for index, request in enumerate(requests):
            self.num_asked += 1
            task = next(name for name in ANSWERS if f"The task is {name}:" in request.chat[0].content)
            caption = request.chat[-1].content
            thing = caption.split()[1]
            said = {name: text.format(thing=thing) for name, text in ANSWERS[task].items()}
            record(index, ChatAnswer(text=self.say(task, caption) or json.dumps(said)))


def save_models(folder: Path) -> Path:
    """Write all models and a profile that names them; return the profile's path."""
    profile = tiny_painter.save_models(folder)
    processor = build_processor(folder / "words")
    torch.manual_seed(0)
    GroundingDinoForObjectDetection(detector_config(len(processor.tokenizer))).save_pretrained(folder / "detector")
    processor.save_pretrained(folder / "detector")
    build_depth().save_pretrained(folder / "depth")
    build_image_processor().save_pretrained(folder / "depth")
    (folder / "segmenter").mkdir()
    sam = build_sam(tiny_sam_config()).eval()
    for parameter in sam.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    save_sam(sam, tiny_sam_config(), folder / "segmenter")
    roles = {name: name for name in ("detector", "depth", "segmenter")} | {"language_model": "clip"}
    with profile.open("a") as file:
        file.writelines(f'[{role}]\nmodel = "{folder / name}"\n' for role, name in roles.items())
    return profile


@lru_cache(maxsize=1)
def models_of(profile: Path) -> EmuModels:
    """Return the models of a profile, those of every task and filter, loaded once."""
    return load_emu_models(load_profile(profile), choose_runtime("cpu"), replace(CONFIG, max_depth_difference=1.0))
