"""A random Grounding DINO of the embedded size, as a folder and as a profile that names it."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import GroundingDinoForObjectDetection

from editfoundry.pretraining.recipes.detector import build_processor, detector_config


def save_tiny_detector(folder: Path) -> Path:
    """Save the model into ``folder`` and return the path of a profile whose detector it is."""
    processor = build_processor(folder / "words")
    torch.manual_seed(0)
    GroundingDinoForObjectDetection(detector_config(len(processor.tokenizer))).save_pretrained(folder / "model")
    processor.save_pretrained(folder / "model")
    profile = folder / "tiny.toml"
    profile.write_text(f'[detector]\nmodel = "{folder / "model"}"\n')
    return profile
