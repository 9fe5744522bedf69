"""Commands of InstructPix2Pix's text stage: fine-tune a language model on rows, and let it write instructions."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from editfoundry.cli.app import instructions_app
from editfoundry.cli.shared import (
    JsonOption,
    OnlyOption,
    ParamsOption,
    ProfileOption,
    ReplaceOption,
    chosen_params,
    log_lines,
    print_facts,
    progress_bar,
    show_result,
)
from editfoundry.errors import BadInputError
from editfoundry.training.loop_config import MAX_SEED


@instructions_app.command("write")
def instructions_write(
    captions: Annotated[Path, typer.Argument(help="Caption shards, as of editfoundry sources laion.")],
    output: Annotated[Path, typer.Argument(help="Folder of the rows: 00000.jsonl with 00000.parquet, and so on.")],
    model: Annotated[
        str | None,
        typer.Option(
            help="Who writes: a folder of instructions train, a hub id, endpoint:MODEL; by default the profile's "
            "instruction_model, or else its language_model."
        ),
    ] = None,
    only: OnlyOption = None,
    replace: ReplaceOption = False,
    profile: ProfileOption = None,
    params: ParamsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a language model write an instruction and an edited caption for each caption. Example: editfoundry instructions write data/captions rows."""  # noqa: E501
    from editfoundry.profiles import load_profile
    from editfoundry.synthesis.instructions.stage import with_instruction_model, write_instructions

    chosen = chosen_params(params, profile)
    roles = load_profile(chosen.profile)
    roles = roles if model is None else with_instruction_model(roles, model)
    with progress_bar("captions") as progress:
        result = write_instructions(
            captions, output, chosen.instructions, roles, chosen.device, progress, only, replace
        )
    show_result(result, output, as_json)


@instructions_app.command("train")
def instructions_train(
    rows: Annotated[
        Path, typer.Argument(help="JSONL: input, edit and output a line, or prompt and completion as released.")
    ],
    output: Annotated[
        Path | None, typer.Argument(help="Folder of the model; may be left out with --write-jsonl.")
    ] = None,
    write_jsonl: Annotated[
        Path | None, typer.Option(help="File that gets the rows as chats, for an endpoint's own fine-tuning.")
    ] = None,
    num_steps: Annotated[
        int | None, typer.Option(min=1, help="Optimizer steps; by default the parameters', or each row once.")
    ] = None,
    batch_size: Annotated[int | None, typer.Option(min=1, help="Rows a step.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Peak rate of AdamW.")] = None,
    lora_rank: Annotated[int | None, typer.Option(min=0, help="Rank of LoRA's updates; 0 trains all weights.")] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, max=MAX_SEED, help="Seed of the rows' order and of new weights.")
    ] = None,
    profile: ProfileOption = None,
    params: ParamsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fine-tune the profile's language model on rows; resumes what was interrupted. Example: editfoundry instructions train rows.jsonl model."""  # noqa: E501
    from editfoundry.data.output_folder import require_no_input
    from editfoundry.synthesis.instructions.instruction_rows import read_instruction_rows, row_files, write_chats

    if output is None and write_jsonl is None:
        raise BadInputError("give OUTPUT, a folder for the model, or --write-jsonl FILE, or both")
    facts: dict[str, Any] = {}
    if write_jsonl is not None:
        require_no_input(write_jsonl, row_files(rows))
        write_chats(write_jsonl, list(read_instruction_rows(rows)))
        facts["chats"] = str(write_jsonl)
    if output is not None:
        given = {
            "num_steps": num_steps,
            "batch_size": batch_size,
            "learning_rate": learning_rate,
            "lora_rank": lora_rank,
            "seed": seed,
        }
        chosen = chosen_params(params, profile)
        settings = {**chosen.instruction_training, **{k: v for k, v in given.items() if v is not None}}
        facts |= _train(rows, output, chosen.profile, settings)
    if os.environ.get("RANK", "0") == "0":
        print_facts(facts, as_json)


def _train(rows: Path, output: Path, profile: str, settings: dict[str, Any]) -> dict[str, Any]:
    from editfoundry.pretrained.quiet_libraries import quiet_libraries
    from editfoundry.synthesis.instructions.train import instruction_training_config, train_instruction_model

    log_lines()
    quiet_libraries()
    training = train_instruction_model(instruction_training_config(rows, output, profile, settings))
    told = ("num_rows", "num_steps", "final_loss", "seconds", "num_trained_parameters")
    return {"checkpoint": str(output), **{name: training[name] for name in told if name in training}}
