"""Training as a process of its own that Dagster hears through Pipes."""

import sys
import tempfile
from pathlib import Path

import dagster as dg


def train_in_a_process(context: dg.AssetExecutionContext, pipes: dg.PipesSubprocessClient, config: Path) -> None:
    """Launch ``accelerate launch -m editfoundry.training`` and stream its log into the run's.

    Cancelling the run sends the launcher SIGINT, which it passes on: the trainer saves a resumable checkpoint and ends,
    and so does every child. The next run resumes there. A checkpoint that is what ``config`` asks for stays.

    Args:
        context: of the asset's step.
        pipes: starts the process.
        config: see `TrainingConfig.from_file`.

    Raises:
        BadInputError: the configuration, the data set or the editor cannot be used.
        TrainingError: anything else that the trainer could not go on from.
    """
    from editfoundry.training.__main__ import OUTCOME_VARIABLE
    from editfoundry.training.config import TrainingConfig
    from editfoundry.training.finished import is_trained
    from editfoundry.training.launch import failure_of

    wanted = TrainingConfig.from_file(config)
    if is_trained(wanted):
        context.log.info(f"{wanted.output} is trained already, with the same settings and data")
        return
    with tempfile.TemporaryDirectory(prefix="editfoundry-dagster-") as folder:
        outcome = Path(folder) / "outcome"
        command = [sys.executable, "-m", "editfoundry.training.launch", str(config)]
        try:
            pipes.run(context=context, command=command, env={OUTCOME_VARIABLE: str(outcome)})
        except dg.DagsterError as error:
            told = outcome.read_text() if outcome.exists() else ""
            raise failure_of(told, 1, wanted.output) from error
