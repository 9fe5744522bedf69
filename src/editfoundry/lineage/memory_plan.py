"""What of the models lies on a device at one time while a stage runs, and how much memory that takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from editfoundry.execution.stage_record import StageParams
from editfoundry.pretrained.passes import PASS_SIZES
from editfoundry.profiles import Profile
from editfoundry.profiles.profile import FULL_PRECISION_ROLES
from editfoundry.synthesis.editworld_text.config import roles_of as text_roles
from editfoundry.synthesis.editworld_video.config import roles_of as video_roles

if TYPE_CHECKING:
    from editfoundry.pretrained.skeletons import Skeleton

PAINTER_ROLES = ("text_to_image", "controlnet_canny", "ip_adapter")
"""What paints together, and so waits together."""


@dataclass(frozen=True, kw_only=True)
class Phase:
    """A part of a stage in which the same models are on the device."""

    stage: str
    name: str
    at_work: tuple[str, ...]
    """Roles that compute."""
    resident: tuple[str, ...]
    """All roles whose weights are there."""
    weights: int
    """Bytes of their weights."""
    working: int
    """Bytes that the largest pass of those at work takes beside them."""
    unknown: tuple[str, ...] = ()
    """Roles whose configuration is nowhere, so that they are not counted."""

    @property
    def needed(self) -> int:
        """Bytes in all."""
        return self.weights + self.working


@dataclass
class Footprints:
    """What roles weigh and take in a precision; each is built once, without numbers, and its pass traced once."""

    profile: Profile
    dtype: str
    side: int | None = None
    """Of pictures that are painted or edited, pixels; by default what the model was made for."""
    _built: dict[str, Skeleton | None] = field(default_factory=dict)
    _traced: dict[str, int] = field(default_factory=dict)

    def skeleton(self, role: str) -> Skeleton | None:
        """Return a role's model without numbers; None for an endpoint, and where the profile names none
        or no configuration is at hand.
        """
        from editfoundry.pretrained.skeletons import build_skeleton

        if role not in self.profile.models or is_endpoint(self.profile, role):
            return None
        if role not in self._built:
            self._built[role] = build_skeleton(self.profile, role)
        return self._built[role]

    def weights(self, role: str) -> int:
        """Return the bytes of a role's weights; some are always in float32."""
        found = self.skeleton(role)
        return 0 if found is None else found.num_bytes("float32" if role in FULL_PRECISION_ROLES else self.dtype)

    def working(self, role: str) -> int:
        """Return the bytes of a role's pass, of as many pictures as the profile says or its kind takes."""
        from editfoundry.pretrained.working_memory import working_bytes

        found = self.skeleton(role)
        if found is None:
            return 0
        if role not in self._traced:
            count = self.profile.model(role).max_pictures_per_pass or PASS_SIZES.get(role, 1)
            self._traced[role] = working_bytes(found, count, self.dtype)
        return self._traced[role]


def is_endpoint(profile: Profile, role: str) -> bool:
    """Tell whether a role is asked over HTTP, and so takes no memory here."""
    return profile.model(role).is_endpoint


def stage_phases(params: StageParams, profile: Profile, footprints: Footprints, offloads: bool = True) -> list[Phase]:
    """Return the phases of the stages that load models, in the lineage's order.

    Args:
        params: of all stages.
        profile: what plays the roles; a stage whose roles it has not all is left out.
        footprints: of its roles.
        offloads: whether models can wait elsewhere; false on a CPU.
    """
    phases = []
    for stage, parts in _parts(params).items():
        roles = [role for part in parts.values() for role in part]
        if any(role not in profile.models for role in roles):
            continue
        own = {name: tuple(role for role in part if not is_endpoint(profile, role)) for name, part in parts.items()}
        loaded = [role for part in own.values() for role in part]
        staying = [role for role in loaded if not (offloads and _waits(profile, role))]
        for name, at_work in ((name, part) for name, part in own.items() if part):
            resident = tuple(dict.fromkeys([*at_work, *staying]))
            phases.append(
                Phase(
                    stage=stage,
                    name=name,
                    at_work=at_work,
                    resident=resident,
                    weights=sum(footprints.weights(role) for role in resident),
                    working=_largest(footprints, at_work),
                    unknown=tuple(role for role in resident if footprints.skeleton(role) is None),
                )
            )
    return [*phases, *_training(params, footprints)]


def _parts(params: Any) -> dict[str, dict[str, tuple[str, ...]]]:
    """Return stage -> phase -> the roles at work in it."""
    text, video = text_roles(params.editworld_text), video_roles(params.editworld_video)
    painting = tuple(role for role in text if role in PAINTER_ROLES)
    report: dict[str, tuple[str, ...]] = {"editing": ("editor_base",)}
    if params.editworld_report.post_edit is not None:
        report |= {"segmenting": ("segmenter",), "repainting": PAINTER_ROLES}
    writes = params.quadruples.writer == "language_model"
    judging = {"judging": ("vision_language_model",)}
    return {
        **({"quadruples": {"writing": ("language_model",)}} if writes else {}),
        "editworld_text": {
            "painting": (*painting, "clip"),
            **(judging if "vision_language_model" in text else {}),
        },
        "frame_pairs": {"comparing frames": ("clip",)},
        "editworld_video": {
            "describing": ("video_language_model",),
            "writing": ("language_model",),
            "scoring": ("clip",),
            **(judging if "vision_language_model" in video else {}),
        },
        "editworld_report": {**report, "scoring": ("clip",)},
    }


def _waits(profile: Profile, role: str) -> bool:
    """Tell whether a role's model makes room for others; ControlNet and IP-Adapter do as the painter does."""
    if role == "editor_base":
        return False
    owner = "text_to_image" if role in PAINTER_ROLES else role
    return profile.model(owner).offload == "cpu"


def _largest(footprints: Footprints, roles: Iterable[str]) -> int:
    """Return the largest pass; a ControlNet's residuals stay while the UNet computes."""
    takes = {role: footprints.working(role) for role in roles}
    residuals = takes.pop("controlnet_canny", 0)
    if "text_to_image" in takes:
        takes["text_to_image"] += residuals
    return max([residuals, *takes.values()])


def _training(params: Any, footprints: Footprints) -> Iterator[Phase]:
    from editfoundry.pretrained.configurations import native_side
    from editfoundry.pretrained.working_memory import training_bytes

    section, skeleton = params.editworld, footprints.skeleton("editor_base")
    if skeleton is None:
        return
    precision = {"bf16": "bfloat16", "fp16": "float16"}.get(str(section.get("mixed_precision", "no")), "float32")
    side = section.get("resolution") or native_side(footprints.profile.model("editor_base")) or 512
    parts = section.get("gradient_accumulation_steps", 1)
    whole = training_bytes(
        skeleton,
        max(1, section.get("batch_size", 64) // parts),
        precision,
        side,
        use_ema=bool(section.get("use_ema", True)),
        eight_bit=section.get("optimizer") == "adamw_8bit",
        checkpointing=bool(section.get("gradient_checkpointing", False)),
        frozen=bool(section.get("lora_rank", 0)),
    )
    weights = skeleton.num_bytes("float32")
    yield Phase(
        stage="editworld",
        name="training",
        at_work=("editor_base",),
        resident=("editor_base",),
        weights=weights,
        working=whole - weights,
    )
