"""What an image processor of transformers does to a picture, in words."""

from __future__ import annotations

from typing import Any

from PIL import Image


def describe_model(model: Any) -> str:
    """Describe the preprocessing of a model that has a ``processor``: pictures, and captions where it takes any."""
    processor = getattr(model, "processor", None)
    described = describe_processor(getattr(processor, "image_processor", processor))
    tokenizer = getattr(processor, "tokenizer", None)
    return f"{described}; captions cut at {tokenizer.model_max_length} tokens" if tokenizer is not None else described


def describe_processor(processor: Any) -> str:
    """Describe resizing and cropping; empty for no processor."""
    if processor is None:
        return ""
    size = getattr(processor, "size", None) or {}
    steps = []
    if getattr(processor, "do_resize", False):
        lengths = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in dict(size).items() if value)
        resample = getattr(processor, "resample", None)
        how = "" if resample is None else f" ({Image.Resampling(int(resample)).name.lower()})"
        steps.append(f"resized to {lengths}{how}")
    if getattr(processor, "do_center_crop", False):
        crop = dict(processor.crop_size)
        steps.append(f"centre crop {crop.get('height')} x {crop.get('width')}")
    return ", ".join(steps)
