"""The stages of the lineage, in order, and what follows from their records: folders, and how one is run.

A recipe is added by its record, which stands in the recipe's folder under ``synthesis``, in `_SYNTHESIS`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from editfoundry.curation.dataset_stage import dataset_stage
from editfoundry.data.output_folder import place_for
from editfoundry.data.stage_result import StageResult
from editfoundry.errors import BadInputError, problems_of, refuse
from editfoundry.execution.stage_record import Progress, Stage, StageParams, StageRequest
from editfoundry.lineage.editor_stage import EDITWORLD, EMU_EDIT, IMAGEN_EDITOR, INSTRUCT_PIX2PIX, MGIE
from editfoundry.lineage.report_stage import (
    EDITWORLD_REPORT,
    EMU_EDIT_REPORT,
    IMAGEN_EDITOR_REPORT,
    INSTRUCT_PIX2PIX_REPORT,
    MGIE_REPORT,
)
from editfoundry.sources.caption_stage import CAPTIONS, INCOMING, TINYWORLD_TABLE
from editfoundry.sources.captioned_picture_stage import CAPTIONED_PICTURES
from editfoundry.sources.clip_stage import CLIPS, TINYWORLD_CLIPS
from editfoundry.synthesis.editworld_text.recipe import EDITWORLD_TEXT
from editfoundry.synthesis.editworld_video.recipe import EDITWORLD_VIDEO
from editfoundry.synthesis.emu_edit.recipe import EMU_EDIT_PAIRS
from editfoundry.synthesis.expressive.recipe import EXPRESSIVE
from editfoundry.synthesis.frame_pairs.recipe import FRAME_PAIRS
from editfoundry.synthesis.instruct_pix2pix.recipe import INSTRUCT_PIX2PIX_PAIRS
from editfoundry.synthesis.quadruples.recipe import QUADRUPLES
from editfoundry.synthesis.rehearsal.recipe import REHEARSAL

_SYNTHESIS = (CAPTIONS, QUADRUPLES, EDITWORLD_TEXT, CLIPS, FRAME_PAIRS, EDITWORLD_VIDEO, REHEARSAL)
"""What leads to triplets; every one of these that makes triplets of a recipe goes into the data set."""
TRIPLET_STAGES = tuple(stage for stage in _SYNTHESIS if stage.recipe)
MAIN_LINE = (*_SYNTHESIS, dataset_stage(TRIPLET_STAGES), EDITWORLD, EDITWORLD_REPORT)
"""EditWorld's line: what the demo runs."""
_OWN_LINES = (
    (INSTRUCT_PIX2PIX_PAIRS, INSTRUCT_PIX2PIX, INSTRUCT_PIX2PIX_REPORT),
    (EMU_EDIT_PAIRS, EMU_EDIT, EMU_EDIT_REPORT),
    (EXPRESSIVE, MGIE, MGIE_REPORT),
    (CAPTIONED_PICTURES, IMAGEN_EDITOR, IMAGEN_EDITOR_REPORT),
)
"""The lines beside it, one for each further system: its data, an editor trained on nothing else, and its report."""
STAGES = (*MAIN_LINE, *(stage for line in _OWN_LINES for stage in line))
MAIN = ""
"""What the main line is called where lines are named."""
LINES = tuple(dict.fromkeys(stage.line for stage in STAGES))
"""All lines, the main one first."""
BRANCHES = {stage.recipe: stage.branch for stage in STAGES if stage.recipe}
"""Recipe -> what statistics call its triplets."""


@dataclass(frozen=True)
class Paths:
    """Where things lie under a project's folder: each stage's output is the attribute of its name."""

    root: Path

    @property
    def tinyworld_table(self) -> Path:
        """The LAION-schema table of tinyworld's captions."""
        return self.root / TINYWORLD_TABLE

    @property
    def incoming(self) -> Path:
        """LAION-schema tables that arrived, each a source shard."""
        return self.root / INCOMING

    @property
    def tinyworld_clips(self) -> Path:
        """Tinyworld's videos and their table in InternVid's schema."""
        return self.root / TINYWORLD_CLIPS

    def __getattr__(self, name: str) -> Path:
        """Return the folder of a stage's output."""
        for stage in STAGES:
            if stage.name == name:
                return stage.folder(self.root)
        raise AttributeError(f"no stage {name!r}; there are {', '.join(stage.name for stage in STAGES)}")


def stage_named(name: str) -> Stage:
    """Return the record of a stage.

    Raises:
        KeyError: there is none of that name.
    """
    return {stage.name: stage for stage in STAGES}[name]


def stages_of(line: str) -> tuple[Stage, ...]:
    """Return the stages of a line, in order.

    Raises:
        BadInputError: there is no line of that name.
    """
    if line not in LINES:
        raise BadInputError(f"no line {line!r}; beside the main one there are {', '.join(LINES[1:])}")
    return tuple(stage for stage in STAGES if stage.line == line)


def makers(stage: Stage) -> tuple[Stage, ...]:
    """Return the stages that make what a stage reads, in the lineage's order."""
    read = set(stage.further_inputs)
    return tuple(s for s in STAGES if s.name in stage.inputs or read & {s.output, *s.further_outputs})


def stage_request(
    name: str, params: StageParams, root: Path, progress: Progress | None = None, only: str | None = None
) -> StageRequest:
    """Return the call of a stage on a project's own folders.

    Args:
        name: the stage's.
        params: all parameters.
        root: the project's folder.
        progress: told how far the stage is.
        only: a shard to work on alone.
    """
    stage = stage_named(name)
    return StageRequest(
        params=params,
        output=stage.folder(root),
        sources=tuple(stage_named(source).folder(root) for source in stage.inputs),
        root=root,
        progress=progress,
        only=only,
    )


def run_stage(
    name: str, params: StageParams, root: Path, progress: Progress | None = None, only: str | None = None
) -> StageResult | Path:
    """Run a stage on a project's own folders, redoing only what is missing or has changed.

    The command line, ``dvc.yaml``, Dagster and the demo come down to the same functions, so they make the same bytes.

    Raises:
        BadInputError: ``root`` is no folder and cannot be made, or the stage's input or parameters cannot be used.
    """
    with place_for(root):
        root.mkdir(parents=True, exist_ok=True)
    return stage_named(name).run(stage_request(name, params, root, progress, only))


def check_params(params: StageParams, root: Path, file: Path | None = None, stages: Sequence[Stage] = STAGES) -> None:
    """Look at the parameters and the models of stages, so that what cannot work is told before the first stage runs.

    Args:
        params: all parameters; that they are of the right type was seen when they were read.
        root: the project's folder.
        file: where they were read, for the message.
        stages: whose parameters are looked at.

    Models are told by their configurations; none is loaded.

    Raises:
        BadInputError: a parameter is wrong, or a model cannot do what is asked of it; one line for each, which names
            the file and the section.
    """
    problems = []
    for stage in stages:
        if stage.check is not None:
            try:
                stage.check(stage_request(stage.name, params, root))
            except BadInputError as error:
                where = f"{file or 'parameters'}: section {stage.name}"
                problems += [f"{where}: {problem}" for problem in problems_of(error)]
    refuse(problems)
