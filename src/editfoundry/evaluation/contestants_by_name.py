"""Contestants by the names that a person gives: checkpoints, registered models, diffusers pipelines, baselines."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from editfoundry.data.hashing import file_hash
from editfoundry.editors.baselines import BASELINES, open_baseline, setting_names
from editfoundry.editors.open_editor import INSTRUCT_PIX2PIX, editor_index, open_editor, pipeline_class_of
from editfoundry.errors import BadInputError
from editfoundry.evaluation.contestants import Contestant
from editfoundry.evaluation.editing import Editor
from editfoundry.evaluation.pipeline_editors import edit_with_pipeline, edit_with_post_edit
from editfoundry.pretrained.identity import model_identity

if TYPE_CHECKING:
    from editfoundry.editors.post_edit.post_edit_config import PostEditConfig
    from editfoundry.pretrained.runtime import Runtime
    from editfoundry.profiles import Profile

_POST_EDIT_ROLES = ("segmenter", "text_to_image", "controlnet_canny", "ip_adapter")
_BASELINE_ROLES = {"base": ("editor_base",), "input": (), "truth": ()}
_INSTRUCT_OPTIONS = (
    "num_inference_steps",
    "guidance_scale",
    "image_guidance_scale",
    "guidance_rescale",
    "scheduler",
)


@dataclass(frozen=True, kw_only=True)
class EditorOptions:
    """How editors sample; each gets the options that it has."""

    given: Mapping[str, Any] = field(default_factory=dict)
    """What the person asked for."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """What InstructPix2Pix editors get where nothing was asked for; others keep their own defaults."""
    post_edit: PostEditConfig | None = None
    """Run each InstructPix2Pix editor with its post-edit too."""


def contestants_by_name(
    names: Sequence[str], profile: Profile, runtime: Runtime, options: EditorOptions | None = None
) -> list[Contestant]:
    """Return the contestants; their folders are checked at once, their models loaded when they edit.

    Args:
        names: baselines (``BASELINES``), folders in diffusers' layout, or registered models; ``LABEL=NAME`` gives one
            another label, which otherwise is the name's last part.
        profile: names the models of baselines and post-edit.
        runtime: device and precision.
        options: of the sampling.

    Raises:
        BadInputError: nothing is there, a pipeline that is no editor, or an option that none of them has.
        MissingModelError: the profile names no model that a baseline needs.
    """
    chosen = options or EditorOptions()
    found = [contestant for name in names for contestant in _of_name(name, profile, runtime, chosen)]
    for option in chosen.given:
        if not any(option in contestant.settings for contestant in found):
            raise BadInputError(f"no editor here has the option {option.replace('_', '-')}: leave it out")
    return _told_apart(found)


def _of_name(name: str, profile: Profile, runtime: Runtime, options: EditorOptions) -> list[Contestant]:
    label, _, source = name.partition("=") if re.match(r"[\w.-]+=", name) else ("", "", name)
    if source in BASELINES and not (Path(source) / "model_index.json").is_file():
        return [_baseline(label or source, source, profile, runtime, options)]
    index = editor_index(source)
    pipeline_class = pipeline_class_of(index)
    is_instruct = pipeline_class.__name__ == INSTRUCT_PIX2PIX
    known = _INSTRUCT_OPTIONS if is_instruct else tuple(inspect.signature(pipeline_class.__call__).parameters)
    settings = _settings(known, options, options.defaults if is_instruct else {})
    plain = Contestant(
        name=label or re.sub(r"[^A-Za-z0-9._-]+", "-", Path(source).name).strip(".-") or "editor",
        open=lambda: partial(edit_with_pipeline, open_editor(source, runtime), settings),
        description=f"{source} ({pipeline_class.__name__})",
        settings=settings,
        identity=_weights(index.parent),
    )
    if options.post_edit is None or not is_instruct:
        return [plain]
    return [plain, _with_post_edit(plain, source, profile, runtime, options.post_edit)]


def _baseline(label: str, name: str, profile: Profile, runtime: Runtime, options: EditorOptions) -> Contestant:
    settings = _settings(setting_names(name), options, options.defaults if name == "base" else {})
    roles = _BASELINE_ROLES.get(name, ("text_to_image",))
    return Contestant(
        name=label,
        open=lambda: open_baseline(name, profile, runtime, **settings),
        description=BASELINES[name],
        settings=settings,
        identity=tuple(part for role in roles for part in model_identity(profile, role)) or (name,),
    )


def _with_post_edit(
    plain: Contestant, source: str, profile: Profile, runtime: Runtime, config: PostEditConfig
) -> Contestant:
    def load() -> Editor:
        from editfoundry.editors.post_edit.models import load_post_edit_models

        models = load_post_edit_models(profile, runtime)
        return partial(edit_with_post_edit, open_editor(source, runtime), models, config, plain.settings)

    return Contestant(
        name=f"{plain.name}-post-edit",
        open=load,
        description=f"{plain.description}, with EditWorld's post-edit",
        settings={**plain.settings, "post_edit": dataclasses.asdict(config)},
        identity=(*plain.identity, *(part for role in _POST_EDIT_ROLES for part in model_identity(profile, role))),
    )


def _settings(known: Sequence[str], options: EditorOptions, defaults: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**defaults, **options.given}.items() if name in known}


def _weights(folder: Path) -> tuple[str, ...]:
    return tuple(file_hash(path) for path in sorted([*folder.glob("**/*.safetensors"), folder / "model_index.json"]))


def _told_apart(contestants: Sequence[Contestant]) -> list[Contestant]:
    """Number the labels that several contestants share."""
    named: dict[str, Contestant] = {}
    for contestant in contestants:
        candidates = (f"{contestant.name}-{number}" if number > 1 else contestant.name for number in count(1))
        free = next(name for name in candidates if name not in named)
        named[free] = dataclasses.replace(contestant, name=free)
    return list(named.values())
