"""The models of EditWorld's text-to-image branch: each is loaded once, and only if a step needs it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING

from editfoundry.diffusion.prompt_embeds import PromptEmbeds, encode_empty_prompt
from editfoundry.pretrained.clip import ClipEncoder, load_clip
from editfoundry.pretrained.controlnet_canny import load_controlnet_canny
from editfoundry.pretrained.ip_adapter import IpAdapter, load_ip_adapter
from editfoundry.pretrained.runtime import Runtime
from editfoundry.pretrained.text_to_image import load_text_to_image
from editfoundry.profiles import Profile
from editfoundry.synthesis.editworld_text.config import TextBranchConfig, roles_of

if TYPE_CHECKING:
    from diffusers import ControlNetModel

    from editfoundry.judging import EditPair, Judgement
    from editfoundry.pretrained.text_to_image import Painter


@dataclass(frozen=True)
class TextBranch:
    """The models of the branch. Painting, inpainting and refinement share one UNet, VAE and text encoder."""

    painter: Painter
    clip: ClipEncoder
    provenance: dict[str, str]
    """Role -> model @ revision."""
    controlnet: ControlNetModel | None = None
    ip_adapter: IpAdapter | None = None
    judge: Callable[[Sequence[EditPair]], list[Judgement]] | None = None

    @cached_property
    def empty_prompt(self) -> PromptEmbeds:
        """The null condition of guidance, encoded once."""
        return encode_empty_prompt(self.painter)


def load_branch(profile: Profile, runtime: Runtime, config: TextBranchConfig) -> TextBranch:
    """Load what the configuration's steps need, and nothing else.

    Raises:
        MissingModelError: a model is not on this machine and cannot be fetched.
        BadInputError: a model is of the wrong class, or does not fit the text-to-image model.
    """
    roles = roles_of(config)
    painter = load_text_to_image(profile, runtime)
    return TextBranch(
        painter,
        load_clip(profile, runtime),
        {role: str(profile.model(role)) for role in roles},
        load_controlnet_canny(profile, runtime, painter.unet) if "controlnet_canny" in roles else None,
        load_ip_adapter(profile, runtime, painter) if "ip_adapter" in roles else None,
        _load_judge(profile, runtime) if config.judge else None,
    )


def _load_judge(profile: Profile, runtime: Runtime) -> Callable[[Sequence[EditPair]], list[Judgement]]:
    from editfoundry.judging import judge_pairs
    from editfoundry.pretrained.vision_language_model import load_vision_language_model

    return partial(judge_pairs, load_vision_language_model(profile, runtime))
