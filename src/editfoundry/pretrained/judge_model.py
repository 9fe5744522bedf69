"""The role ``vision_language_model`` as a judge: an endpoint, or local weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from editfoundry.profiles import Profile

if TYPE_CHECKING:
    from editfoundry.pretrained.runtime import Runtime
    from editfoundry.pretrained.vision_endpoint import VisionEndpoint
    from editfoundry.pretrained.vision_language_model import VisionLanguageModel

    JudgeModel: TypeAlias = VisionLanguageModel | VisionEndpoint

Model = TypeVar("Model")
JUDGE_ROLE = "vision_language_model"


def load_judge_model(profile: Profile, runtime: Runtime) -> JudgeModel:
    """Open the profile's endpoint, or load its weights.

    Raises:
        MissingModelError: the profile names no model for the role, or one that is not on this machine.
        BadInputError: the endpoint's settings are incomplete or malformed, or the model is of another kind.
    """
    reference = profile.model(JUDGE_ROLE)
    if reference.is_endpoint:
        from editfoundry.pretrained.vision_endpoint import open_vision_endpoint

        return open_vision_endpoint(reference)
    from editfoundry.pretrained.vision_language_model import load_vision_language_model

    return load_vision_language_model(profile, runtime)


@contextmanager
def remembering(model: Model, shard: Path) -> Iterator[Model | VisionEndpoint]:
    """Yield a model; an endpoint keeps what it answers beside a shard, until that is complete."""
    from editfoundry.pretrained.vision_endpoint import VisionEndpoint

    if not isinstance(model, VisionEndpoint):
        yield model
        return
    with model.remembering(shard) as endpoint:
        yield endpoint
