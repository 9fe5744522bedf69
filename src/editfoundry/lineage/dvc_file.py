"""Writes DVC's files from the stages' records, so that DVC replays what the commands and Dagster do.

The main line's file is ``dvc.yaml`` at the top of a project. A line of its own has one in a folder of its own, which is
written when the line is wanted: DVC would miss its outputs in every project otherwise.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from editfoundry.data.atomic import atomic_file
from editfoundry.execution.stage_record import Stage
from editfoundry.lineage.stages import MAIN, stage_named, stages_of
from editfoundry.tracking.dvc_client import DVC_FILE

_HEADER = """\
# The lineage, stage by stage, with the commands a person would type; Dagster's assets carry the same names.
# Written by `editfoundry lineage write-dvc` from the stages' records: edit those, and run it again.
# `persist` keeps finished shards, so that a stage that was interrupted goes on where it stopped.
"""
_LINE_HEADER = """\
# The line {line}, beside the main one of the project's dvc.yaml, which makes what it reads.
# `dvc repro {file}` makes it; `dvc repro` alone does not.
"""


def dvc_file(line: str = MAIN) -> str:
    """Return where a line's file lies in a project."""
    return f"lines/{line}/{DVC_FILE}" if line else DVC_FILE


def dvc_address(stage: Stage) -> str:
    """Return how DVC calls a stage in a project's folder."""
    return f"{dvc_file(stage.line)}:{stage.name}" if stage.line else stage.name


def dvc_text(line: str = MAIN) -> str:
    """Return what a line's file holds.

    Raises:
        BadInputError: there is no such line.
    """
    import yaml

    class Indented(yaml.SafeDumper):
        """Indents lists inside mappings, as people write them."""

        def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
            super().increase_indent(flow, False)

    def dump(value: object) -> str:
        return yaml.dump(value, Dumper=Indented, sort_keys=False, width=1000)

    stages = ["".join(f"  {line}\n" for line in dump({s.name: _entry(s)}).splitlines()) for s in stages_of(line)]
    header = _LINE_HEADER.format(line=line, file=dvc_file(line)) if line else ""
    return f"{header}{_HEADER}stages:\n" + "\n".join(stages)


def is_current(path: Path, line: str = MAIN) -> bool:
    """Return whether the file holds what `write_dvc` would write."""
    return path.is_file() and path.read_text(encoding="utf-8") == dvc_text(line)


def write_dvc(path: Path, line: str = MAIN) -> None:
    """Write a line's file, whole or not at all."""
    text = dvc_text(line)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(path) as file:
        file.write(text.encode())


def ensure_line(root: Path, line: str) -> None:
    """Write the file of a line of its own into a project that has none yet; the main line's is the project's own."""
    path = root / dvc_file(line)
    if line and not path.exists():
        write_dvc(path, line)


def dvc_commands(stage: Stage) -> list[str]:
    """Return the commands that do a stage's work, as a person types them in the project's folder."""
    sources = [stage_named(name).output for name in stage.inputs]
    if stage.synthesize is not None:
        return [" ".join(["editfoundry synthesize", stage.synthesize.name, *sources, stage.output])]
    values = {"sources": _Spaced(sources), "output": stage.output}
    return [f"editfoundry {command.format_map(values)}" for command in stage.commands]


class _Spaced(list[str]):
    """A list that is formatted as its items with spaces between them."""

    def __format__(self, spec: str) -> str:
        return " ".join(self)


def _entry(stage: Stage) -> dict[str, Any]:
    commands = dvc_commands(stage)
    deps = [*(stage_named(name).output for name in stage.inputs), *stage.further_inputs]
    outs = [stage.output, *stage.further_outputs]
    return {
        # DVC runs a stage in its file's folder where nothing else is said.
        **({"wdir": "/".join([".."] * dvc_file(stage.line).count("/"))} if stage.line else {}),
        "cmd": commands if len(commands) > 1 else commands[0],
        **({"deps": deps} if deps else {}),
        # The profile has a word in every section that the file leaves open.
        "params": ["profile", stage.name],
        "outs": [{path: {"cache": True, "persist": True}} for path in outs],
    }
