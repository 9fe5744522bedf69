"""The models of EditWorld's text-to-image branch: each is loaded once, and only if a step needs it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from editfoundry.diffusion.prompt_embeds import PromptEmbeds, encode_empty_prompt
from editfoundry.pretrained.clip import ClipEncoder, load_clip
from editfoundry.pretrained.controlnet_canny import load_controlnet_canny
from editfoundry.pretrained.ip_adapter import IpAdapter, load_ip_adapter
from editfoundry.pretrained.judge_model import load_judge_model, remembering
from editfoundry.pretrained.passes import Passes
from editfoundry.pretrained.placement import at_work
from editfoundry.pretrained.runtime import Runtime
from editfoundry.pretrained.text_to_image import load_text_to_image, parts_of
from editfoundry.profiles import Profile
from editfoundry.synthesis.editworld_text.config import TextBranchConfig, roles_of

if TYPE_CHECKING:
    from diffusers import ControlNetModel

    from editfoundry.judging import EditPair, Judgement
    from editfoundry.pretrained.judge_model import JudgeModel
    from editfoundry.pretrained.text_to_image import Painter


@dataclass(frozen=True)
class BranchJudge:
    """The role ``vision_language_model``, choosing among candidates."""

    model: JudgeModel

    def __call__(self, pairs: Sequence[EditPair]) -> list[Judgement]:
        """Judge pairs; local weights are fetched once for all questions."""
        from editfoundry.judging import judge_pairs
        from editfoundry.pretrained.vision_language_model import VisionLanguageModel

        if not isinstance(self.model, VisionLanguageModel):
            return judge_pairs(self.model, pairs)
        with at_work(self.model.runtime, self.model.model):
            return judge_pairs(self.model, pairs)

    @contextmanager
    def remembering(self, shard: Path) -> Iterator[BranchJudge]:
        """Yield a judge that keeps what an endpoint answers beside a shard, until that is complete."""
        with remembering(self.model, shard) as model:
            yield BranchJudge(model)


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
    runtime: Runtime | None = None
    """Of the painter, ControlNet and IP-Adapter; None where they always lie on their device."""
    passes: Passes = field(default_factory=Passes)
    """How many pictures are painted together."""

    @contextmanager
    def painting(self) -> Iterator[None]:
        """Have what paints on its device inside the ``with`` block."""
        if self.runtime is None:
            yield
            return
        adapter = [] if self.ip_adapter is None else self.ip_adapter.modules
        controlnet = [] if self.controlnet is None else [self.controlnet]
        with at_work(self.runtime, *parts_of(self.painter), *controlnet, *adapter):
            yield

    @contextmanager
    def remembering(self, shard: Path) -> Iterator[TextBranch]:
        """Yield a branch whose judge keeps its answers beside a shard, where it has any to keep."""
        if not isinstance(self.judge, BranchJudge):
            yield self
            return
        with self.judge.remembering(shard) as judge:
            yield replace(self, judge=judge)

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
    reference = profile.model("text_to_image")
    own = runtime.of(reference)
    painter = load_text_to_image(profile, runtime, may_wait=True)
    return TextBranch(
        painter,
        load_clip(profile, runtime),
        {role: str(profile.model(role)) for role in roles},
        load_controlnet_canny(profile, own, painter.unet) if "controlnet_canny" in roles else None,
        load_ip_adapter(profile, own, painter) if "ip_adapter" in roles else None,
        BranchJudge(load_judge_model(profile, runtime)) if config.judge else None,
        own,
        Passes(reference.max_pictures_per_pass, own.device),
    )
