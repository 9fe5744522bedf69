"""The parameters of the lineage, and how ``params.yaml`` is read."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from editfoundry.claims.claims_config import ClaimsConfig
from editfoundry.curation.curation_config import CurationConfig
from editfoundry.curation.score_config import ScoreConfig
from editfoundry.editors.post_edit.post_edit_config import PostEditConfig
from editfoundry.errors import BadInputError
from editfoundry.profiles import Profile
from editfoundry.sources.filters import LaionFilters
from editfoundry.sources.internvid_filters import InternVidFilters
from editfoundry.synthesis.editworld_text.config import TextBranchConfig
from editfoundry.synthesis.editworld_video.config import VideoBranchConfig
from editfoundry.synthesis.frame_pairs.config import FramePairConfig
from editfoundry.synthesis.quadruples.config import QuadrupleConfig


@dataclass(frozen=True, kw_only=True)
class CaptionParams:
    """Parameters of the stage ``captions``."""

    num_rows: int = 480
    """Rows of the tinyworld table."""
    rows_per_shard: int = 60
    seed: int = 0
    filters: LaionFilters = field(default_factory=LaionFilters)


@dataclass(frozen=True, kw_only=True)
class ClipParams:
    """Parameters of the stage ``clips``."""

    num_clips: int = 48
    """Clips of tinyworld."""
    frame_size: int = 128
    """Pixels to a side of tinyworld's clips; even."""
    rows_per_shard: int = 16
    seed: int = 0
    filters: InternVidFilters = field(default_factory=InternVidFilters)


@dataclass(frozen=True, kw_only=True)
class ReportParams:
    """Parameters of the stage ``editworld_report``."""

    num_world_cases: int = 196
    num_new_rule_cases: int = 50
    num_plain_cases: int = 60
    num_inference_steps: int = 20
    guidance_scale: float = 5.0
    image_guidance_scale: float = 1.5
    batch_size: int = 32
    seed: int = 0
    post_edit: Mapping[str, Any] | None = None
    """Evaluate the editor with EditWorld's post-edit too, with these settings of `PostEditConfig` in the place of the
    profile's; none, without."""

    def asking_for_post_edit(self) -> ReportParams:
        """Return these parameters with a post-edit, the profile's where they have none."""
        return dataclasses.replace(self, post_edit={} if self.post_edit is None else self.post_edit)

    def post_edit_config(self, profile: Profile) -> PostEditConfig | None:
        """Return the post-edit's settings, the profile's under these; none, without.

        Raises:
            BadInputError: a setting is unknown, or its value is wrong.
        """
        return None if self.post_edit is None else PostEditConfig.of_profile(profile, **self.post_edit)


@dataclass(frozen=True, kw_only=True)
class Params:
    """All parameters of the lineage, as ``params.yaml`` holds them."""

    profile: str = "embedded"
    device: str = "auto"
    captions: CaptionParams = field(default_factory=CaptionParams)
    quadruples: QuadrupleConfig = field(default_factory=QuadrupleConfig)
    editworld_text: TextBranchConfig = field(default_factory=TextBranchConfig)
    clips: ClipParams = field(default_factory=ClipParams)
    frame_pairs: FramePairConfig = field(default_factory=FramePairConfig)
    editworld_video: VideoBranchConfig = field(default_factory=VideoBranchConfig)
    score: ScoreConfig = field(default_factory=ScoreConfig)
    """Of ``editfoundry score``, which is no stage of the lineage: its own triplets are scored as they are made."""
    dataset: CurationConfig = field(default_factory=CurationConfig)
    editworld: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `InstructPix2PixTraining` other than its paths."""
    editworld_report: ReportParams = field(default_factory=ReportParams)
    claims: ClaimsConfig = field(default_factory=ClaimsConfig)
    """Of ``editfoundry claims``."""


def load_params(path: Path | None) -> Params:
    """Read ``params.yaml``; without a file, the defaults.

    Raises:
        BadInputError: the file is missing or malformed, or has an unknown key or a wrong value.
    """
    import yaml

    if path is None:
        return Params()
    try:
        values = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadInputError(f"{path}: cannot be read as parameters: {' '.join(str(error).split())}") from error
    try:
        return _build(Params, values or {}, "")
    except (TypeError, ValueError) as error:
        raise BadInputError(f"{path}: {error}") from error


def with_overrides(params: Params, section: str, values: Mapping[str, Any]) -> Params:
    """Return the parameters with some values of one section replaced; the others of nested sections stay.

    Raises:
        BadInputError: there is no such section or parameter, or a value is of another type.
    """
    if section not in {f.name for f in dataclasses.fields(Params)}:
        raise BadInputError(f"no section {section!r} in the parameters")
    current: Any = getattr(params, section)
    if isinstance(current, Mapping):
        return dataclasses.replace(params, editworld={**current, **values})
    try:
        changed: Any = _build(type(current), _merged(dataclasses.asdict(current), values), f"{section}.")
        return dataclasses.replace(params, **{section: changed})
    except (TypeError, ValueError) as error:
        raise BadInputError(f"overrides of {section}: {error}") from error


def _merged(current: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    both = {name: value for name, value in values.items() if isinstance(value, Mapping) and current.get(name)}
    return {**current, **values, **{name: _merged(current[name], value) for name, value in both.items()}}


def _build(cls: Any, values: object, where: str) -> Any:
    if not isinstance(values, Mapping):
        raise BadInputError(f"{where or 'the file'} is not a mapping of names to values")
    known = {f.name: f for f in dataclasses.fields(cls)}
    unknown = [name for name in values if name not in known]
    if unknown:
        raise BadInputError(f"unknown parameter {where}{unknown[0]}; there are {', '.join(known)}")
    hints = get_type_hints(cls)
    built = {}
    for name, value in values.items():
        section = _section(hints[name], value)
        built[name] = _build(section, value, f"{where}{name}.") if section else _typed(value, hints[name], where + name)
    return cls(**built)


def _section(hint: Any, value: object) -> Any:
    """Return the dataclass that ``value`` fills; None for a plain value, and for nothing where that is allowed."""
    kinds = get_args(hint) if get_origin(hint) is UnionType else (hint,)
    allows_nothing = type(None) in kinds and value is None
    return None if allows_nothing else next((kind for kind in kinds if dataclasses.is_dataclass(kind)), None)


def _typed(value: object, hint: Any, name: str) -> object:
    """Return ``value`` as ``hint`` wants it: an int is a float too, and a list of YAML a tuple."""
    kinds = get_args(hint) if get_origin(hint) is UnionType else (hint,)
    if float in kinds and type(value) is int:
        return float(value)
    for kind in kinds:
        origin = get_origin(kind) or kind
        if origin is tuple and isinstance(value, list):
            return tuple(value)
        if type(value) is origin or (origin is Mapping and isinstance(value, Mapping)):
            return value
    wanted = " or ".join("nothing" if kind is type(None) else kind.__name__ for kind in kinds)
    raise BadInputError(f"parameter {name} is {value!r}, which is no {wanted}")
