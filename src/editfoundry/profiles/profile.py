"""Profiles: which model plays which role, and what suits those models. Code never names a model."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from editfoundry.data.untrusted import read_toml
from editfoundry.errors import BadInputError, MissingModelError, one_line

ROLES = (
    "text_to_image", "inpainter", "controlnet_canny", "ip_adapter", "editor_base", "clip", "language_model",
    "vision_language_model", "video_language_model", "segmenter", "detector", "depth", "dino", "lpips",
    "task_predictor", "summarizer", "instruction_model", "moderator",
)  # fmt: skip
DEFAULT_PROFILE = "embedded"
FULL_PRECISION_ROLES = ("segmenter", "detector")
"""Roles whose models always compute in float32."""
_PACKAGE = Path(__file__).parent.parent
PROFILES_FOLDER = _PACKAGE / "profiles"
EMBEDDED_FOLDER = _PACKAGE / "embedded"
PUBLISHED_FOLDER = PROFILES_FOLDER / "published"
"""Configurations of the models that the shipped profiles name, as they are published: ``OWNER/NAME/FILE``."""
_PACKAGE_PREFIX = "package:"
OFFLOADS = ("", "cpu", "sequential")
SEQUENTIAL_ROLES = (
    "language_model", "vision_language_model", "video_language_model", "clip", "dino", "instruction_model", "moderator",
)  # fmt: skip
"""Roles whose models can stay in the machine's memory while they work."""
BYTES_OF = {"float32": 4, "float16": 2, "bfloat16": 2}
"""Precision -> bytes of a number."""
ENDPOINT = "endpoint"
"""A source ``endpoint`` or ``endpoint:MODEL`` is an OpenAI-compatible chat endpoint."""


@dataclass(frozen=True, kw_only=True)
class ModelReference:
    """Where the model of a role comes from."""

    role: str
    source: str
    """A hub id, a folder, ``package:NAME`` for a model shipped with editfoundry, or ``endpoint:MODEL``."""
    revision: str = "main"
    subfolder: str = ""
    """Folder of the weights within it, where they do not lie at its top."""
    weight_name: str = ""
    """File of the weights in ``subfolder``, where it has not its class's usual name (IP-Adapter)."""
    image_encoder: str = ""
    """Source of an IP-Adapter's image encoder, where it is not the folder ``image_encoder`` in ``subfolder``."""
    device: str = ""
    """Device of this role alone, for example ``cuda:1``; empty, that of the parameters."""
    offload: str = ""
    """Where the model waits: empty, on its device; ``cpu``, in the machine's memory while other roles are at work;
    ``sequential``, there always, layer by layer on the device: slow, and for the smallest devices."""
    max_pictures_per_pass: int | None = None
    """Pictures, prompts or clips that go through the model together at most; by default what suits its kind, on a GPU
    fewer where memory asks for it."""
    license: str = ""
    """As its card names it."""
    stored: str = "float32"
    """Precision of the published files."""
    caption_similarity: tuple[float, float] | None = None
    """Of a CLIP: its usual cosines of pictures and their captions, from and to; thresholds are checked against it."""
    options: Mapping[str, Any] = field(default_factory=dict, compare=False)
    """What the role's loader takes beside the model, for example an endpoint's concurrency."""

    @property
    def location(self) -> str:
        """What ``from_pretrained`` is called with."""
        if self.source.startswith(_PACKAGE_PREFIX):
            return str(EMBEDDED_FOLDER / self.source.removeprefix(_PACKAGE_PREFIX))
        return os.path.expanduser(self.source) if self.source.startswith("~") else self.source

    @property
    def is_local(self) -> bool:
        """Whether it is a folder, not a hub id."""
        return self.source.startswith((_PACKAGE_PREFIX, "/", "./", "../", "~")) or Path(self.source).is_dir()

    @property
    def is_endpoint(self) -> bool:
        """Whether it is asked over HTTP: its source is ``endpoint`` or ``endpoint:MODEL``."""
        return self.source.partition(":")[0] == ENDPOINT

    def image_encoder_reference(self) -> ModelReference:
        """Return where an IP-Adapter's image encoder comes from."""
        if self.image_encoder:
            return ModelReference(role=self.role, source=self.image_encoder)
        return replace(self, subfolder=f"{self.subfolder}/image_encoder".lstrip("/"))

    def __str__(self) -> str:
        return f"{self.source}@{self.revision}"


_OPTIONS = {known.name for known in fields(ModelReference)} - {"role", "source"}
"""Keys that a role's table may have beside ``model``."""
_TYPED = ("options", "max_pictures_per_pass", "caption_similarity")
"""Those that are no words."""


@dataclass(frozen=True, kw_only=True)
class Profile:
    """A named choice of a model for each role."""

    name: str
    models: dict[str, ModelReference]
    post_edit: Mapping[str, Any] = field(default_factory=dict)
    """Settings of the post-edit that suit these models, where the paper's do not; see `PostEditConfig.of_profile`."""

    judge: Mapping[str, Any] = field(default_factory=dict)
    """Thresholds that suit its judge, where the usual ones do not; see `JudgeThresholds.of_profile`."""

    params: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Section -> parameters of the lineage that suit these models; ``params.yaml`` has the last word, see
    `lineage.params.load_params`."""

    def model(self, role: str) -> ModelReference:
        """Return the model of ``role``.

        Raises:
            MissingModelError: the profile names none.
        """
        if role not in self.models:
            raise MissingModelError(
                f"profile {self.name!r} names no model for the role {role!r}: add it to its TOML file"
            )
        return self.models[role]


def load_profile(name_or_path: str | Path) -> Profile:
    """Read a profile by its name (``embedded``, ``paper``, ``modern``) or from a TOML file.

    Raises:
        BadInputError: there is no such profile, or the file is malformed.
    """
    path = Path(name_or_path)
    if path.suffix != ".toml":
        path = PROFILES_FOLDER / f"{name_or_path}.toml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in PROFILES_FOLDER.glob("*.toml")))
        raise BadInputError(f"no profile {str(name_or_path)!r}: use one of {known}, or the path of a TOML file")
    entries = read_toml(path)
    settings = {name: entries.pop(name, {}) for name in ("post_edit", "judge", "params")}
    sections = settings["params"] if isinstance(settings["params"], dict) else {}
    for name, table in {**settings, **{f"params.{section}": values for section, values in sections.items()}}.items():
        if not isinstance(table, dict):
            raise BadInputError(f"{path}: {name} must be a table of settings")
    models = {role: _reference(path, role, entry) for role, entry in entries.items()}
    return Profile(name=path.stem, models=models, **settings)


def check_settings(
    table: str, given: Mapping[str, Any], known: Mapping[str, Any], *, noun: str = "setting", where: str = ""
) -> None:
    """Check the names of ``given`` against ``known``, and its values against those' types: words or numbers.

    Args:
        table: what the settings belong to, for messages.
        given: name -> value.
        known: name -> default; one that is no word is a number.
        noun: what one of them is called in messages.
        where: before a message.

    Raises:
        BadInputError: a name is unknown, or a value is of another type.
    """
    for name, value in given.items():
        if name not in known:
            raise BadInputError(f"{where}unknown {noun} {name!r} in {table}; {noun}s are {', '.join(known)}")
        wanted, kinds = ("a word", str) if isinstance(known[name], str) else ("a number", (int, float))
        if isinstance(value, bool) or not isinstance(value, kinds):
            raise BadInputError(f"{where}{table}.{name} is {value!r}, but must be {wanted}")


def missing_model(reference: ModelReference, error: Exception) -> MissingModelError:
    """Say in one line which role, which model, and the command that fetches it."""
    if reference.source.startswith(_PACKAGE_PREFIX):
        recipe = {"text_to_image": "diffusion", "editor_base": "diffusion"}.get(reference.role, reference.role)
        fetch = f"train it with: editfoundry tinyworld pretrain {recipe}"
    elif reference.is_local:
        fetch = "make that folder again, or name another"
    else:
        fetch = f"fetch it with: hf download {reference.source} --revision {reference.revision}"
    if reference.is_local and not Path(reference.location).is_dir():
        reason = f"no folder {reference.location}"
    else:
        reason = one_line(error, 160)
    return MissingModelError(f"role {reference.role!r}: model {reference} is not on this machine ({reason}); {fetch}")


def _reference(path: Path, role: str, entry: object) -> ModelReference:
    if role not in ROLES:
        raise BadInputError(f"{path}: {role!r} is no role; roles are {', '.join(ROLES)}")
    if not isinstance(entry, dict) or not isinstance(entry.get("model"), str):
        raise BadInputError(f'{path}: role {role!r} needs a table with model = "ID OR FOLDER"')
    unknown = sorted(set(entry) - _OPTIONS - {"model"})
    if unknown:
        raise BadInputError(f"{path}: role {role!r} has unknown keys: {', '.join(unknown)}")
    options = entry.get("options", {})
    if not isinstance(options, dict):
        raise BadInputError(f"{path}: role {role!r}: options must be a table of names and values")
    typed: dict[str, Any] = {name: value for name, value in entry.items() if name not in ("model", *_TYPED)}
    for name, value in typed.items():
        if not isinstance(value, str):
            raise BadInputError(f"{path}: role {role!r}: {name} is {value!r}; it must be a text, in quotes")
    texts: dict[str, str] = typed
    if texts.get("offload", "") not in OFFLOADS:
        raise BadInputError(f"{path}: role {role!r}: offload is {texts['offload']!r}; use {' or '.join(OFFLOADS[1:])}")
    if texts.get("offload") == "sequential" and role not in SEQUENTIAL_ROLES:
        known = ", ".join(SEQUENTIAL_ROLES)
        raise BadInputError(f"{path}: role {role!r}: offload is 'sequential', which is for {known}; use cpu")
    if texts.get("stored", "float32") not in BYTES_OF:
        raise BadInputError(f"{path}: role {role!r}: stored is {texts['stored']!r}; use {', '.join(BYTES_OF)}")
    return ModelReference(
        role=role,
        source=entry["model"],
        options=options,
        max_pictures_per_pass=_count(path, role, entry.get("max_pictures_per_pass")),
        caption_similarity=_span(path, role, entry.get("caption_similarity")),
        **texts,
    )


def _count(path: Path, role: str, value: object) -> int | None:
    if value is None or (type(value) is int and value >= 1):
        return value
    raise BadInputError(f"{path}: role {role!r}: max_pictures_per_pass is {value!r}; it must be a number from 1")


def _span(path: Path, role: str, value: object) -> tuple[float, float] | None:
    if value is None:
        return None
    if isinstance(value, list) and len(value) == 2 and all(type(end) is float for end in value):
        return value[0], value[1]
    raise BadInputError(
        f"{path}: role {role!r}: caption_similarity is {value!r}; it must be two numbers, as [0.2, 0.3]"
    )
