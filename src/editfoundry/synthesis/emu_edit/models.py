"""The models of the recipe, loaded once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from editfoundry.pretrained.clip import ClipEncoder, load_clip
from editfoundry.pretrained.depth import DepthEstimator, load_depth
from editfoundry.pretrained.detector import Detector, load_detector
from editfoundry.pretrained.passes import Passes
from editfoundry.pretrained.placement import at_work
from editfoundry.pretrained.runtime import Runtime
from editfoundry.pretrained.segmenter import Segmenter, load_segmenter
from editfoundry.pretrained.task_predictor import TaskPredictor, load_task_predictor
from editfoundry.pretrained.text_to_image import load_text_to_image, parts_of
from editfoundry.pretrained.vision_language_model import VisionLanguageModel, load_vision_language_model
from editfoundry.profiles import Profile
from editfoundry.synthesis.emu_edit.config import (
    DEPTH_ROLE,
    FINDING_ROLES,
    JUDGE_ROLE,
    PAINTER_ROLE,
    PREDICTOR_ROLE,
    EmuPairConfig,
)

if TYPE_CHECKING:
    from editfoundry.pretrained.text_to_image import Painter


@dataclass(frozen=True, kw_only=True)
class EmuModels:
    """What paints pairs, what finds things in them, and what looks at them; None for what no task needs."""

    painter: Painter
    clip: ClipEncoder
    passes: Passes = field(default_factory=Passes)
    """How many pictures, or pairs of them, are painted together."""
    detector: Detector | None = None
    segmenter: Segmenter | None = None
    depth: DepthEstimator | None = None
    judge: VisionLanguageModel | None = None
    task_predictor: TaskPredictor | None = None
    provenance: dict[str, str] = field(default_factory=dict)
    """Role -> model @ revision."""
    runtime: Runtime | None = None
    """Of the painter; None where it always lies on its device."""

    @contextmanager
    def painting(self) -> Iterator[None]:
        """Have the painter on its device inside the ``with`` block."""
        if self.runtime is None:
            yield
            return
        with at_work(self.runtime, *parts_of(self.painter)):
            yield


def roles_of(config: EmuPairConfig, profile: Profile) -> tuple[str, ...]:
    """Return the roles that take part with a profile's models."""
    predicts = PREDICTOR_ROLE in profile.models
    return (*config.roles, *((PREDICTOR_ROLE,) if predicts else ()))


def load_emu_models(profile: Profile, runtime: Runtime, config: EmuPairConfig) -> EmuModels:
    """Load what the configuration's tasks and filters need.

    Raises:
        MissingModelError: a model is not on this machine and cannot be fetched.
        BadInputError: a model is of the wrong class.
    """
    reference, roles = profile.model(PAINTER_ROLE), roles_of(config, profile)
    own = runtime.of(reference)
    finds = FINDING_ROLES[0] in roles
    return EmuModels(
        painter=load_text_to_image(profile, runtime, may_wait=True),
        clip=load_clip(profile, runtime),
        passes=Passes(reference.max_pictures_per_pass, own.device),
        detector=load_detector(profile, runtime) if finds else None,
        segmenter=load_segmenter(profile, runtime) if finds else None,
        depth=load_depth(profile, runtime) if DEPTH_ROLE in roles else None,
        judge=load_vision_language_model(profile, runtime) if JUDGE_ROLE in roles else None,
        task_predictor=load_task_predictor(profile, runtime) if PREDICTOR_ROLE in roles else None,
        provenance={role: str(profile.model(role)) for role in roles},
        runtime=own,
    )
