"""Writes ``dvc.yaml`` from the stages' records, so that DVC replays what the commands and Dagster do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from editfoundry.data.atomic import atomic_file
from editfoundry.execution.stage_record import Stage
from editfoundry.lineage.stages import MAIN_LINE, stage_named

DVC_FILE = "dvc.yaml"
_HEADER = """\
# The lineage, stage by stage, with the commands a person would type; Dagster's assets carry the same names.
# Written by `editfoundry lineage write-dvc` from the stages' records: edit those, and run it again.
# `persist` keeps finished shards, so that a stage that was interrupted goes on where it stopped.
"""


def dvc_text() -> str:
    """Return what ``dvc.yaml`` holds."""
    import yaml

    class Indented(yaml.SafeDumper):
        """Indents lists inside mappings, as people write them."""

        def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
            super().increase_indent(flow, False)

    def dump(value: object) -> str:
        return yaml.dump(value, Dumper=Indented, sort_keys=False, width=1000)

    stages = ["".join(f"  {line}\n" for line in dump({s.name: _entry(s)}).splitlines()) for s in MAIN_LINE]
    return f"{_HEADER}stages:\n" + "\n".join(stages)


def is_current(path: Path) -> bool:
    """Return whether the file holds what `write_dvc` would write."""
    return path.is_file() and path.read_text(encoding="utf-8") == dvc_text()


def write_dvc(path: Path) -> None:
    """Write the file, whole or not at all."""
    with atomic_file(path) as file:
        file.write(dvc_text().encode())


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
        "cmd": commands if len(commands) > 1 else commands[0],
        **({"deps": deps} if deps else {}),
        # The profile has a word in every section that the file leaves open.
        "params": ["profile", stage.name],
        "outs": [{path: {"cache": True, "persist": True}} for path in outs],
    }
