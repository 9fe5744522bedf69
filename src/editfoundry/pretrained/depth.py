"""The role ``depth``: tells how near each pixel of a picture is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image

from editfoundry.errors import BadInputError
from editfoundry.pretrained.opening import load_whole, opening
from editfoundry.pretrained.passes import PASS_SIZES, Passes
from editfoundry.pretrained.placement import place, with_model_at_work
from editfoundry.pretrained.runtime import Runtime
from editfoundry.profiles import Profile


@dataclass(frozen=True)
class DepthEstimator:
    """A DPT or a Depth Anything with its preprocessing."""

    name: str
    """Model @ revision, as provenance records it."""
    model: Any
    processor: Any
    runtime: Runtime
    batch_size: int = PASS_SIZES["depth"]
    """Pictures that go through the model together."""

    @with_model_at_work
    @torch.inference_mode()
    def nearness(self, images: Sequence[Image.Image]) -> list[np.ndarray]:
        """Return each RGB image's inverse distance, ``(H, W)`` float32 of its own size, in the model's own unit."""
        parts = Passes(self.batch_size).run(len(images), lambda part: self._batch(images[part])) if images else []
        return [nearness for part in parts for nearness in part]

    def _batch(self, images: Sequence[Image.Image]) -> list[np.ndarray]:
        # One that keeps shapes makes inputs of several sizes, which are no batch.
        inputs = [self.processor(images=image, return_tensors="pt")["pixel_values"] for image in images]
        found: list[np.ndarray] = []
        for pixels in [torch.cat(inputs)] if len({one.shape for one in inputs}) == 1 else inputs:
            predicted = self.model(pixel_values=pixels.to(self.runtime.device, self.runtime.dtype)).predicted_depth
            sizes = [(image.height, image.width) for image in images[len(found) : len(found) + len(pixels)]]
            found += [
                torch.nn.functional.interpolate(one[None, None].float(), size, mode="bicubic")[0, 0].cpu().numpy()
                for one, size in zip(predicted, sizes, strict=True)
            ]
        return found


def load_depth(profile: Profile, runtime: Runtime) -> DepthEstimator:
    """Load the profile's depth model, one that tells inverse distances.

    Raises:
        MissingModelError: the model is not on this machine and cannot be fetched.
        BadInputError: its folder holds something that cannot be loaded, or a model that tells metres.
    """
    from transformers import AutoImageProcessor, AutoModelForDepthEstimation

    reference = profile.model("depth")
    with opening(reference, "a depth model") as options:
        model: Any = load_whole(AutoModelForDepthEstimation, reference, dtype=runtime.dtype, **options)
        processor: Any = AutoImageProcessor.from_pretrained(reference.location, **options)
    if getattr(model.config, "depth_estimation_type", "relative") != "relative":
        raise BadInputError(f"role 'depth': {reference} tells distances in metres; name a model of relative depth")
    own, batch_size = runtime.of(reference), reference.max_pictures_per_pass or PASS_SIZES["depth"]
    return DepthEstimator(str(reference), place(model.eval(), own), processor, own, batch_size)
