"""What a stage of the lineage is, said once: its record.

Everything that names stages is derived from the records that `lineage.stages` lists: folders, sections of
``params.yaml``, the command ``synthesize``, the demo, ``dvc.yaml`` and Dagster's assets. Each record stands beside the
code of its stage and is light to import; what computes is imported when the stage runs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from editfoundry.data.stage_result import StageResult
from editfoundry.execution.progress import Progress


class StageParams(Protocol):
    """The parameters of a project, see `lineage.params.Params`; a stage's own are the attribute of its name."""

    @property
    def profile(self) -> str:
        """Which model plays which role: a name, or a TOML file."""

    @property
    def device(self) -> str:
        """``auto``, ``cpu``, ``cuda``."""

    def __getattr__(self, name: str) -> Any:
        """Return a section."""


@dataclass(frozen=True, kw_only=True)
class StageRequest:
    """One call of a stage: what it reads, where it writes, and how."""

    params: StageParams
    output: Path
    """Folder that the stage writes."""
    sources: tuple[Path, ...] = ()
    """Outputs of the stages that it reads, in the order of `Stage.inputs`."""
    root: Path = Path(".")
    """The project's folder."""
    progress: Progress | None = None
    only: str | None = None
    """A shard to work on alone."""
    replace: bool = False
    """Whether what is there may go, though it was made of another input."""

    @property
    def source(self) -> Path:
        """The one folder that is read."""
        [source] = self.sources
        return source


Run = Callable[[StageRequest], StageResult | Path]
"""Does a stage's work; returns its counts, or the folder that it wrote."""


@dataclass(frozen=True, kw_only=True)
class SynthesizeCommand:
    """How a stage that turns one folder of shards into another is called: ``editfoundry synthesize NAME``."""

    name: str
    help: str
    """What the command does, a sentence."""
    source: str
    """What INPUT is."""
    output: str = "Folder of triplet shards."
    """What OUTPUT is."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One stage of the lineage. Paths are relative to the project's folder, with ``/``."""

    name: str
    """Also the name of its section of the parameters, of its stage of ``dvc.yaml`` and of its asset in Dagster."""
    group: str
    """Group of assets that it stands in."""
    output: str
    """Folder that it writes."""
    doing: str
    """What the demo says while it runs: a few words."""
    description: str
    """What its output is: a sentence."""
    config: type
    """Class of its parameters; ``dict`` where the section is taken as it is and ``check`` looks at it."""
    run: Run
    inputs: tuple[str, ...] = ()
    """Names of the stages whose outputs it reads."""
    further_inputs: tuple[str, ...] = ()
    """Paths that it reads besides; each is a further output of another stage."""
    further_outputs: tuple[str, ...] = ()
    """Paths that it writes besides."""
    synthesize: SynthesizeCommand | None = None
    """Its command, where that is one of ``editfoundry synthesize``."""
    commands: tuple[str, ...] = ()
    """Else the commands that do its work, without the program's name. ``{sources}`` stands for the inputs' folders,
    ``{sources[0]}`` for the first of them, ``{output}`` for its own."""
    loads_models: bool = False
    """Whether it loads models: then it depends on the profile, and wants a GPU."""
    kinds: tuple[str, ...] = ()
    """What Dagster shows that it is made of: ``parquet``, ``webdataset``, ``pytorch``, ..."""
    recipe: str = ""
    """Name of the recipe whose triplets it makes; empty where it makes none that a data set takes."""
    branch: str = ""
    """What statistics call that recipe's triplets."""
    line: str = ""
    """Name of the line beside the main one that it belongs to; empty for the main line. Such a line has a file of its
    own for DVC and a job of its own in Dagster: neither the demo nor what retrains the lineage's editor makes it, and
    its triplets go into no other line's data set."""
    takes_source_shards: bool = False
    """Whether a table that arrived goes through it as a shard of its own."""
    draws_progress: bool = False
    """Whether it draws a progress bar itself."""
    check: Callable[[StageRequest], object] | None = None
    """Raises BadInputError where its parameters are wrong in a way that the configuration's class does not see."""

    def folder(self, root: Path) -> Path:
        """Return its output's folder under a project's."""
        return root / self.output
