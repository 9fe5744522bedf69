"""Finds and opens editors by the names that a person gives: checkpoints, registered models, families' own names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from editfoundry.data.untrusted import parse_json
from editfoundry.editors.editor import Editor
from editfoundry.editors.editor_family import EditorFamily, EditorSource
from editfoundry.editors.families import FAMILIES
from editfoundry.editors.families.diffusers_pipeline.family import DIFFUSERS_PIPELINE
from editfoundry.errors import BadInputError
from editfoundry.profiles import ModelReference
from editfoundry.tracking.registered_models import is_registered_reference, registered_folder

if TYPE_CHECKING:
    from editfoundry.pretrained.runtime import Runtime
    from editfoundry.profiles import Profile

REGISTERED_CACHE = Path(".cache/registered")
"""Where a registered model is fetched to, if it is not on this disk."""
BASE = "base"
"""The profile's ``editor_base``, by its family's name for it."""
_INDEX = "model_index.json"


def own_names() -> dict[str, str]:
    """Return the names that families have for editors that are no checkpoints, and what each does, in one line."""
    return {name: text for family in FAMILIES for name, text in family.names.items()}


def find_editor(name: str, profile: Profile | None = None, cache: Path = REGISTERED_CACHE) -> EditorSource:
    """Find an editor without loading it.

    Args:
        name: a folder in diffusers' layout, whose ``model_index.json`` says the class; ``package:NAME``, one that is
            shipped; a model of MLflow's registry: ``NAME@ALIAS``, ``models:/NAME@ALIAS``, ``models:/NAME/VERSION``; or
            one of `own_names`, unless a folder with an editor has that name.
        profile: names the models of editors that are no checkpoints.
        cache: see ``REGISTERED_CACHE``.

    Raises:
        BadInputError: nothing is there, or a checkpoint that is no editor.
    """
    own = next((family for family in FAMILIES if name in family.names), None)
    if own is not None and not (Path(name) / _INDEX).is_file():
        return EditorSource(name=name, family=own, profile=profile)
    folder = editor_folder(name, cache)
    if not (folder / _INDEX).is_file():
        raise BadInputError(f"{name}: no editor here: expected a diffusers folder with {_INDEX}")
    pipeline_class = _pipeline_class(folder / _INDEX)
    source = EditorSource(
        name=name,
        family=_family_of(pipeline_class, folder),
        folder=folder,
        pipeline_class=pipeline_class,
        profile=profile,
    )
    _ = source.option_names  # refuses a class that is no editor
    return source


def open_editor(
    name: str, runtime: Runtime, profile: Profile | None = None, cache: Path = REGISTERED_CACHE, **options: Any
) -> Editor:
    """Find an editor, see `find_editor`, and load it; ``options`` as of `open_source`."""
    return open_source(find_editor(name, profile, cache), runtime, **options)


def open_source(source: EditorSource, runtime: Runtime, **options: Any) -> Editor:
    """Load an editor.

    Args:
        source: from `find_editor`.
        runtime: device and precision.
        options: of the sampling, by diffusers' names; the others keep the defaults of checkpoint and family.

    Raises:
        BadInputError: the editor has no such option, or the option cannot have that value.
        MissingModelError: a model is not on this machine.
    """
    chosen = source.options(options)
    return Editor(source=source, model=source.family.load(source, runtime), options=chosen)


def editor_folder(name: str, cache: Path = REGISTERED_CACHE, tracking_uri: str | None = None) -> Path:
    """Return the folder that a checkpoint's name stands for; of these only a registered model is looked into.

    Args:
        name: as `find_editor` takes it.
        cache: see ``REGISTERED_CACHE``.
        tracking_uri: of the registry; by default ``MLFLOW_TRACKING_URI``, else the current folder's.

    Raises:
        BadInputError: there is no such registered model, or its files hold no editor.
    """
    if not is_registered_reference(name):
        return Path(ModelReference(role="editor_base", source=name).location)
    found = sorted(registered_folder(name, cache, tracking_uri).rglob(_INDEX))
    if len(found) != 1:
        raise BadInputError(f"{name}: {len(found)} editors among its files: expected one diffusers folder")
    return found[0].parent


def _family_of(pipeline_class: str, folder: Path) -> EditorFamily:
    fitting = (f for f in FAMILIES if pipeline_class in f.pipeline_classes and (folder / f.marker).is_dir())
    return next(fitting, DIFFUSERS_PIPELINE)


def _pipeline_class(index: Path) -> str:
    try:
        name = parse_json(index.read_text())["_class_name"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise BadInputError(f"{index}: names no pipeline class") from error
    if not isinstance(name, str):
        raise BadInputError(f"{index}: {name!r} is no pipeline of diffusers")
    return name
