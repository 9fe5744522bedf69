"""Contestants by the names that a person gives: checkpoints, registered models, families' own names."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from editfoundry.data.hashing import file_hash
from editfoundry.editors.editor_family import EditorSource
from editfoundry.editors.open_editor import find_editor, open_source
from editfoundry.errors import BadInputError
from editfoundry.evaluation.contestants import Contestant
from editfoundry.pretrained.identity import model_identity

if TYPE_CHECKING:
    from editfoundry.editors.editor import Editor
    from editfoundry.editors.post_edit.post_edit_config import PostEditConfig
    from editfoundry.pretrained.runtime import Runtime
    from editfoundry.profiles import Profile


@dataclass(frozen=True, kw_only=True)
class EditorOptions:
    """How editors sample; each gets the options that it has."""

    given: Mapping[str, Any] = field(default_factory=dict)
    """What the person asked for."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """What editors that have all of these options get where nothing was asked for; others keep their own defaults."""
    post_edit: PostEditConfig | None = None
    """Run each editor that supports it with the post-edit too."""
    keep_below: float | None = None
    """Run each editor also so that it keeps its input's pixels, see `multi_turn.kept_where_alike`."""


def contestants_by_name(
    names: Sequence[str], profile: Profile, runtime: Runtime, options: EditorOptions | None = None
) -> list[Contestant]:
    """Return the contestants; their folders are checked at once, their models loaded when they edit.

    Args:
        names: as `find_editor` takes them; ``LABEL=NAME`` gives one another label, which otherwise is the name's last
            part.
        profile: names the models of editors that are no checkpoints, and of the post-edit.
        runtime: device and precision.
        options: of the sampling.

    Raises:
        BadInputError: nothing is there, a checkpoint that is no editor, an option that none of them has, or one label
            for two editors.
        MissingModelError: the profile names no model that an editor needs.
    """
    chosen = options or EditorOptions()
    labels = [label for name in names if (label := _split(name)[0])]
    twice = next((label for place, label in enumerate(labels) if label in labels[:place]), None)
    if twice is not None:
        raise BadInputError(f"two editors are labelled {twice!r}: give each a label of its own")
    found = [_of_name(name, profile, runtime, chosen) for name in names]
    for option in chosen.given:
        if not any(option in plain.settings for plain, *_ in found):
            raise BadInputError(f"no editor here has the option {option.replace('_', '-')}: leave it out")
    # The first of each is the editor itself; the others' names are made from its own.
    return _told_apart(
        [
            (contestant, place == 0 and bool(_split(name)[0]))
            for name, of_name in zip(names, found, strict=True)
            for place, contestant in enumerate(of_name)
        ]
    )


def _split(name: str) -> tuple[str, str]:
    """Return the label that a person gave, empty for none, and the editor's name."""
    label, _, typed = name.partition("=") if re.match(r"[\w.-]+=", name) else ("", "", name)
    return label, typed


def _of_name(name: str, profile: Profile, runtime: Runtime, options: EditorOptions) -> list[Contestant]:
    label, typed = _split(name)
    source = find_editor(typed, profile)
    settings = _settings(source, options)
    source.options(settings)
    plain = Contestant(
        name=label or re.sub(r"[^A-Za-z0-9._-]+", "-", Path(typed).name).strip(".-") or "editor",
        open=partial(open_source, source, runtime, **settings),
        description=source.description,
        settings=settings,
        identity=(*source.identity, *map(file_hash, source.family.option_files(source, settings))),
        reads=source.family.reads,
    )
    found = [plain]
    if options.post_edit is not None and source.folder is not None and source.family.supports_post_edit:
        found.append(_with_post_edit(plain, profile, runtime, options.post_edit))
    if options.keep_below is not None:
        found.append(_with_kept_pixels(plain, options.keep_below))
    return found


def _settings(source: EditorSource, options: EditorOptions) -> dict[str, Any]:
    """Return every option that is not the family's own default by a rule of ours or of the checkpoint."""
    known = source.option_names
    defaults = options.defaults if set(options.defaults) <= set(known) else {}
    chosen = {**source.defaults.options, **defaults, **options.given}
    return {name: value for name, value in chosen.items() if name in known}


def _with_post_edit(plain: Contestant, profile: Profile, runtime: Runtime, config: PostEditConfig) -> Contestant:
    from editfoundry.editors.post_edit.post_edit import with_post_edit
    from editfoundry.editors.post_edit.post_edit_config import POST_EDIT_ROLES
    from editfoundry.editors.post_edit.post_edit_models import load_post_edit_models

    def load() -> Editor:
        return with_post_edit(plain.open(), load_post_edit_models(profile, runtime), config)

    roles = [part for role in POST_EDIT_ROLES for part in model_identity(profile, role)]
    return Contestant(
        name=f"{plain.name}-post-edit",
        open=load,
        description=f"{plain.description}, with EditWorld's post-edit",
        settings={**plain.settings, "post_edit": dataclasses.asdict(config)},
        identity=(*plain.identity, *roles),
        reads=plain.reads,
    )


def _with_kept_pixels(plain: Contestant, keep_below: float) -> Contestant:
    from editfoundry.editors.multi_turn import with_kept_pixels

    return dataclasses.replace(
        plain,
        name=f"{plain.name}-kept",
        open=lambda: with_kept_pixels(plain.open(), keep_below),
        description=f"{plain.description}, its input's pixel kept where less than {keep_below:g} changed",
        settings={**plain.settings, "keep_below": keep_below},
    )


def _told_apart(contestants: Sequence[tuple[Contestant, bool]]) -> list[Contestant]:
    """Number the names that several contestants share; a name that a person gave, which is told beside it, stays."""
    taken = {contestant.name for contestant, is_given in contestants if is_given}
    named = []
    for contestant, is_given in contestants:
        if not is_given:
            candidates = (f"{contestant.name}-{number}" if number > 1 else contestant.name for number in count(1))
            contestant = dataclasses.replace(contestant, name=next(name for name in candidates if name not in taken))
            taken.add(contestant.name)
        named.append(contestant)
    return named
