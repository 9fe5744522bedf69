"""A family of editors: what it opens, what its editors need and how they edit. One folder and one record a family."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from editfoundry.data.hashing import file_hash
from editfoundry.editors.editing_defaults import FILE_NAME, EditingDefaults, read_editing_defaults
from editfoundry.editors.option_values import check_kinds
from editfoundry.errors import BadInputError
from editfoundry.pretrained.identity import model_identity, shaping_files

if TYPE_CHECKING:
    from PIL import Image

    from editfoundry.editors.editor import Editor, EditRequest, WordedEdit
    from editfoundry.pretrained.runtime import Runtime
    from editfoundry.profiles import Profile
    from editfoundry.training.loop_config import LoopConfig


@dataclass(frozen=True, kw_only=True)
class NoOptions:
    """Options of editors that have none."""


@dataclass(frozen=True)
class FamilyTraining:
    """How a family's editors are trained."""

    config_class: type[LoopConfig]
    """A training's file has its fields."""
    trainee: str
    """``MODULE:CLASS`` of its trainee, whose ``load`` takes configuration and Accelerate; imported to train only."""
    inversion: FamilyTraining | None = None
    """How one more task is learnt by an editor that stays as it is (``--invert-task``), where the family can."""
    memory: str = ""
    """``MODULE:FUNCTION`` that takes a configuration and a number of processes and returns rows of `TrainingMemory`."""


@dataclass(frozen=True, kw_only=True)
class TrainingMemory:
    """What a GPU needs for a training with some settings."""

    label: str
    """The settings, in a few words."""
    num_samples: int
    """That go through the models at once, on each GPU."""
    parts: Mapping[str, int]
    """What takes memory -> bytes."""

    @property
    def num_bytes(self) -> int:
        """All of it."""
        return sum(self.parts.values())


@dataclass(frozen=True, kw_only=True, eq=False)
class EditorFamily:
    """Editors that are loaded and run in one way."""

    name: str
    edit: Callable[[Editor, Sequence[EditRequest]], Sequence[Image.Image | WordedEdit]]
    """Edits requests of any sizes; returns one RGB picture a request, of the request's size, with the editor's words
    where it has any. It may raise ``Rejection`` with a reason of the family's own."""
    load: Callable[[EditorSource, Runtime], Any] = lambda source, runtime: None
    """Loads what ``Editor.model`` holds."""
    names: Mapping[str, str] = field(default_factory=dict)
    """Editors that are opened by a name of their own, and what each does, in one line."""
    roles: tuple[str, ...] = ()
    """The profile's roles that the editors of ``names`` are made of."""
    roles_of: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Of names that are made of other roles than ``roles``."""
    helper_roles: tuple[str, ...] = ()
    """The profile's roles, where it has them, that help its checkpoints edit."""
    pipeline_classes: tuple[str, ...] = ()
    """Classes of checkpoints that it opens, as ``model_index.json`` names them."""
    marker: str = ""
    """A folder that its checkpoints have beside what others of the same class have; empty for none."""
    options_class: type[Any] | Callable[[EditorSource], type[Any]] = NoOptions
    """Keyword-only dataclass of the options, by diffusers' names, with its defaults; or what makes it."""
    needs: tuple[str, ...] = ()
    """Parts of a request, beside picture and instruction, without which it is rejected: keys of ``MISSING_PARTS``."""
    also_reads: tuple[str, ...] = ()
    """Parts that it looks at where they are there, also ``history``."""
    supports_post_edit: bool = False
    """Whether ``Editor.model`` has a ``unet`` whose cross-attention says where an instruction applies."""
    explains_itself: bool = False
    """Whether its edits come with the editor's words."""
    option_files: Callable[[EditorSource, Mapping[str, Any]], Sequence[Path]] = lambda source, given: ()
    """Returns the files that options name, whose content edits depend on; it refuses, by a BadInputError, what the
    checkpoint cannot be asked for."""
    per_request_options: tuple[str, ...] = ()
    """Options in which the requests of a batch may differ, see ``EditRequest.options``."""
    training: FamilyTraining | None = None
    """For families whose editors can be trained."""

    @property
    def reads(self) -> tuple[str, ...]:
        """Parts of a request that an editor of this family is handed beside picture, instruction and seed."""
        return (*self.needs, *self.also_reads)


@dataclass(frozen=True, kw_only=True, eq=False)
class EditorSource:
    """An editor that was found by its name and is not loaded yet."""

    name: str
    """As the person typed it."""
    family: EditorFamily
    folder: Path | None = None
    """The checkpoint, in diffusers' layout; None for a family's own name."""
    pipeline_class: str = ""
    """As the checkpoint's ``model_index.json`` names it."""
    profile: Profile | None = None
    """Names the models of an editor that is opened by a family's own name."""

    @property
    def description(self) -> str:
        """What the editor is, in one line."""
        return self.family.names[self.name] if self.folder is None else f"{self.name} ({self.pipeline_class})"

    @property
    def identity(self) -> tuple[str, ...]:
        """What edits depend on beside the options: hashes of a folder and a size, or the name and its models."""
        if self.folder is not None:
            files = [self.folder / "model_index.json", *shaping_files(self.folder)]
            area = () if self.defaults.area_side is None else (f"area_side {self.defaults.area_side}",)
            return (*(file_hash(path) for path in files), *area, *self._helpers_identity)
        return (self.name, *(part for role in self.roles for part in model_identity(self.own_profile, role)))

    @property
    def roles(self) -> tuple[str, ...]:
        """The profile's roles that an editor is made of which is no checkpoint."""
        return self.family.roles_of.get(self.name, self.family.roles)

    @property
    def _helpers_identity(self) -> tuple[str, ...]:
        profile = self.profile
        if profile is None:
            return ()
        roles = [role for role in self.family.helper_roles if role in profile.models]
        return tuple(part for role in roles for part in model_identity(profile, role))

    @property
    def option_names(self) -> tuple[str, ...]:
        """The options that the editor has."""
        return tuple(known.name for known in fields(self._options_class))

    @property
    def option_kinds(self) -> dict[str, type[int | float | str]]:
        """The options that have a number or a word as default, and of which kind."""
        defaults = {name: type(value) for name, value in vars(self._own_options).items()}
        return {name: kind for name, kind in defaults.items() if kind in (int, float, str)}

    @cached_property
    def defaults(self) -> EditingDefaults:
        """What the checkpoint's own folder says about editing with it."""
        return EditingDefaults() if self._model_folder is None else read_editing_defaults(self._model_folder)

    @property
    def _model_folder(self) -> Path | None:
        """The checkpoint, or the one model of the profile that the editor is made of."""
        if self.folder is None and len(self.roles) == 1 and self.profile is not None:
            return Path(self.profile.model(self.roles[0]).location)
        return self.folder

    def options(self, given: Mapping[str, Any], over: Any = None) -> Any:
        """Return the family's options: ``given`` over those of ``over``, or over the checkpoint's own defaults.

        Raises:
            BadInputError: there is no such option, or it cannot have that value.
        """
        unknown = sorted(set(given) - set(self.option_names))
        if unknown:
            raise BadInputError(f"{self._kind} has no option {unknown[0].replace('_', '-')}: leave it out")
        try:
            check_kinds(self._own_options, given)
            if over is not None:
                changed = given
                options = dataclasses.replace(over, **given)
            else:
                changed = {**self._defaults_of_folder, **given}
                options = self._options_class(**changed)
            if changed.get("scheduler") is not None:
                self._check_scheduler(changed["scheduler"])
            self.family.option_files(self, changed)
        except BadInputError as error:
            raise BadInputError(f"{self.name}: {error}") from error
        return options

    @property
    def _defaults_of_folder(self) -> dict[str, Any]:
        known = {name: value for name, value in self.defaults.options.items() if name in self.option_names}
        try:
            check_kinds(self._own_options, known)
        except BadInputError as error:
            raise BadInputError(f"{FILE_NAME}: {error}") from error
        return known

    def _check_scheduler(self, name: str) -> None:
        from editfoundry.diffusion.schedulers import check_scheduler_name

        check_scheduler_name(name, self._model_folder)

    @property
    def _kind(self) -> str:
        return f"{self.name} ({self.pipeline_class})" if self.pipeline_class else self.name

    @cached_property
    def _own_options(self) -> Any:
        return self._options_class()

    @cached_property
    def _options_class(self) -> type[Any]:
        found = self.family.options_class
        return found if isinstance(found, type) else found(self)

    @property
    def own_profile(self) -> Profile:
        """The profile that names the models of an editor that is no checkpoint.

        Raises:
            BadInputError: none was given.
        """
        if self.profile is None:
            raise BadInputError(f"{self.name} is made of a profile's models: name a profile")
        return self.profile


def load_painter(source: EditorSource, runtime: Runtime) -> Any:
    """Load the profile's ``text_to_image`` model, which families that edit by captions paint with."""
    from editfoundry.pretrained.text_to_image import load_text_to_image

    return load_text_to_image(source.own_profile, runtime)
