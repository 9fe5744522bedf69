"""The models of the recipe, loaded once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from editfoundry.pretrained.clip import ClipEncoder, load_clip
from editfoundry.pretrained.passes import Passes
from editfoundry.pretrained.placement import at_work
from editfoundry.pretrained.runtime import Runtime
from editfoundry.pretrained.text_to_image import load_text_to_image, parts_of
from editfoundry.pretrained.vision_language_model import VisionLanguageModel, load_vision_language_model
from editfoundry.profiles import Profile
from editfoundry.synthesis.instruct_pix2pix.config import JUDGE_ROLE, PAINTER_ROLE, PairConfig
from editfoundry.synthesis.instruct_pix2pix.painting import PairPainter

CPU_PAIRS_AT_ONCE = 8
"""Pairs that a CPU paints together: four rows of the UNet each. More are slower, for they leave a core's cache."""


@dataclass(frozen=True)
class PairModels:
    """What paints pairs, and what scores them."""

    painter: PairPainter
    clip: ClipEncoder
    provenance: dict[str, str]
    """Role -> model @ revision."""
    runtime: Runtime | None = None
    """Of the painter; None where it always lies on its device."""
    judge: VisionLanguageModel | None = None
    """Tells captions apart, where it is asked."""

    @contextmanager
    def painting(self) -> Iterator[None]:
        """Have the painter on its device inside the ``with`` block."""
        if self.runtime is None:
            yield
            return
        with at_work(self.runtime, *parts_of(self.painter.painter)):
            yield


def load_pair_models(profile: Profile, runtime: Runtime, config: PairConfig) -> PairModels:
    """Load the painter, CLIP, and the vision-language model where the configuration asks for it.

    Raises:
        MissingModelError: a model is not on this machine and cannot be fetched.
        BadInputError: a model is of the wrong class.
    """
    reference = profile.model(PAINTER_ROLE)
    own = runtime.of(reference)
    painter = load_text_to_image(profile, runtime, may_wait=True)
    most = reference.max_pictures_per_pass or (CPU_PAIRS_AT_ONCE if own.device.type == "cpu" else None)
    return PairModels(
        PairPainter(painter, Passes(most, own.device)),
        load_clip(profile, runtime),
        {role: str(profile.model(role)) for role in config.roles},
        own,
        load_vision_language_model(profile, runtime) if JUDGE_ROLE in config.roles else None,
    )
