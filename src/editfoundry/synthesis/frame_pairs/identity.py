"""Whether two frames show the same things: by CLIP, and by DINO where the profile has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from av import VideoFrame

from editfoundry.data.video_pictures import picture
from editfoundry.pretrained.clip import ClipEncoder, load_clip
from editfoundry.pretrained.dino import DinoEncoder, load_dino
from editfoundry.pretrained.runtime import Runtime
from editfoundry.profiles import Profile
from editfoundry.synthesis.frame_pairs.config import FramePairConfig

_SIDE = 336
"""Pixels of the longer side that frames are scaled down to before a model scales them on."""


@dataclass(frozen=True)
class IdentityJudge:
    """Compares frames by their embeddings."""

    clip: ClipEncoder
    dino: DinoEncoder | None = None

    @property
    def provenance(self) -> dict[str, str]:
        """Role -> model."""
        return {"clip": self.clip.name, **({} if self.dino is None else {"dino": self.dino.name})}

    def compare(self, pairs: Sequence[tuple[VideoFrame, VideoFrame]], pixel_aspect: float) -> list[dict[str, float]]:
        """Return each pair's similarities, ``clip_image`` and ``dino_image``, in [-1, 1]; every frame is seen once."""
        frames = {id(frame): frame for pair in pairs for frame in pair}
        images = [picture(frame, pixel_aspect, _SIDE) for frame in frames.values()]
        encoders: dict[str, ClipEncoder | DinoEncoder] = {"clip_image": self.clip}
        if self.dino is not None:
            encoders["dino_image"] = self.dino
        found: list[dict[str, float]] = [{} for _ in pairs]
        for name, encoder in encoders.items():
            embeds = dict(zip(frames, encoder.encode_images(images), strict=True))
            for similarity, (first, last) in zip(found, pairs, strict=True):
                similarity[name] = float(embeds[id(first)] @ embeds[id(last)])
        return found

    def accepts(self, similarity: Mapping[str, float], config: FramePairConfig) -> bool:
        """Return whether two frames are alike enough."""
        least = {"clip_image": config.min_clip_similarity, "dino_image": config.min_dino_similarity}
        return all(value >= least[name] for name, value in similarity.items())


def identity_roles(profile: Profile) -> list[str]:
    """Return the roles that a profile has for comparing frames."""
    return ["clip", *(["dino"] if "dino" in profile.models else [])]


def load_identity(profile: Profile, runtime: Runtime) -> IdentityJudge:
    """Load the profile's ``clip``, and its ``dino`` where it names one.

    Raises:
        MissingModelError: a model is not on this machine and cannot be fetched.
    """
    dino = load_dino(profile, runtime) if "dino" in profile.models else None
    return IdentityJudge(load_clip(profile, runtime), dino)
