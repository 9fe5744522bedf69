"""What the commands share: options, parameters, progress, and how results are shown."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from editfoundry.cli.progress import progress_bar  # noqa: F401
from editfoundry.data.stage_result import StageResult
from editfoundry.errors import BadInputError
from editfoundry.lineage.params import Params, load_params

ProfileOption = Annotated[str | None, typer.Option("--profile", help="embedded, paper, modern, or a TOML file.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")]
ParamsOption = Annotated[
    Path | None, typer.Option("--params", help="Parameters; by default params.yaml of the current folder, if there.")
]
OnlyOption = Annotated[
    str | None, typer.Option("--only", metavar="SHARD", help="Work on the shard of that name alone.")
]
ReplaceOption = Annotated[
    bool, typer.Option("--replace", help="Let go what OUTPUT holds, though it was made of another input.")
]
OptionOption = Annotated[
    list[str] | None,
    typer.Option("--option", help="Any other option of the editor, as NAME=VALUE; may be repeated."),
]
DeviceOption = Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:N.")]


def log_lines() -> None:
    """Print what is logged, the steps of a training for one, on stderr with the time of day."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    # It names every request.
    logging.getLogger("httpx").setLevel(logging.WARNING)


def chosen_params(path: Path | None, profile: str | None) -> Params:
    """Read the parameters, by default of the current folder, with another profile where one is given.

    Raises:
        BadInputError: the file is missing or malformed, or there is no such profile.
    """
    return load_params(params_file(path), profile)


def params_file(path: Path | None) -> Path | None:
    """Return the parameters' file: the one that is given, else that of the current folder; None without any."""
    default = Path("params.yaml")
    return path or (default if default.is_file() else None)


def show_result(result: StageResult, output: Path, as_json: bool) -> None:
    """Print a stage's counts."""
    facts = {
        "output": str(output),
        "num_in": result.num_in,
        "num_out": result.num_out,
        "rejected": result.rejected,
        "num_shards": result.num_shards,
        "num_shards_reused": result.num_shards_reused,
        **result.totals,
    }
    print_facts(facts, as_json)


def show_summary(folder: Path, as_json: bool) -> None:
    """Print the table of the lineage's report in ``folder``."""
    from editfoundry.evaluation.lineage_report import headline_summary
    from editfoundry.evaluation.reports.before_after import terminal_table
    from editfoundry.evaluation.reports.cover import specific_gain

    if as_json:
        summary = json.loads((folder / "summary.json").read_text())
        print(json.dumps({"report": str(folder / "report.html"), "summary": summary}))
        return
    console = Console()
    summary = headline_summary(folder)
    console.print(terminal_table(summary))
    if sentence := specific_gain(summary):
        console.print(sentence, highlight=False)
    console.print(f"report: {folder / 'report.html'}", soft_wrap=True)


def parse_numbers(option: str, text: str) -> list[float]:
    """Return the numbers of ``1,1.5,2``; raises BadInputError that names the option when they are none."""
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise BadInputError(f"--{option} is {text!r}, but must be numbers with commas between them") from None


def parsed_options(options: list[str] | None) -> dict[str, Any]:
    """Return the options of ``NAME=VALUE``: whole numbers and numbers where they are, words otherwise.

    Raises:
        BadInputError: one is not of that form.
    """
    parsed: dict[str, Any] = {}
    for option in options or []:
        name, equals, text = option.partition("=")
        if not equals or not name:
            raise BadInputError(f"--option is {option!r}, but must be NAME=VALUE")
        parsed[name.replace("-", "_")] = _number_or_word(text)
    return parsed


def _number_or_word(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def print_facts(facts: dict[str, Any], as_json: bool) -> None:
    """Print one line for each fact, with one below for each part of one that has parts, or all as one line of JSON."""
    if as_json:
        print(json.dumps(facts))
        return
    for name, value in facts.items():
        title = name.replace("_", " ")
        if isinstance(value, dict) and any(isinstance(part, dict) for part in value.values()):
            print(f"{title}:")
            for part_name, part in value.items():
                print(f"  {part_name.replace('_', ' ')}: {_fact(part)}")
        else:
            print(f"{title}: {_fact(value)}")


def _fact(value: Any) -> str:
    """Return a fact as text: an interval with its bounds, a mapping as its parts."""
    if not isinstance(value, dict):
        return f"{value:.4g}" if isinstance(value, float) else str(value)
    if value.keys() == {"value", "low", "high", "n"}:
        if value["value"] is None:
            return f"unknown (n {value['n']})"
        ends = ", ".join(_fact(value[end]) for end in ("low", "high"))
        return f"{_fact(value['value'])} [{ends}] (n {value['n']})"
    return ", ".join(f"{name.replace('_', ' ')} {_fact(part)}" for name, part in value.items()) or "none"
