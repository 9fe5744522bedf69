"""Training as a process of its own that Dagster hears through Pipes."""

import multiprocessing
import sys
import tempfile
from pathlib import Path

import dagster as dg


def train_in_a_process(context: dg.AssetExecutionContext, pipes: dg.PipesSubprocessClient, config: Path) -> None:
    """Launch ``accelerate launch -m editfoundry.editors.train`` and stream its log into the run's.

    Cancelling the run sends the launcher SIGINT, which it passes on: the trainer saves a resumable checkpoint and ends,
    and so does every child; where this step or the run's worker is killed, they do so by themselves. The next run
    resumes there. A checkpoint that is what ``config`` asks for stays.

    Args:
        context: of the asset's step.
        pipes: starts the process.
        config: see `read_training_config`.

    Raises:
        BadInputError: the configuration, the data set or the editor cannot be used.
        TrainingError: anything else that the trainer could not go on from.
    """
    from editfoundry.editors.train import MODULE, read_training_config
    from editfoundry.training.ending import OUTCOME_VARIABLE, failure_of
    from editfoundry.training.fingerprint import is_trained
    from editfoundry.training.owners import owners_environment

    wanted = read_training_config(config)
    if is_trained(wanted):
        context.log.info(f"{wanted.output} is trained already, with the same settings and data")
        return
    with tempfile.TemporaryDirectory(prefix="editfoundry-dagster-") as folder:
        outcome = Path(folder) / "outcome"
        command = [sys.executable, "-m", MODULE, str(config), "--launch"]
        worker = multiprocessing.parent_process()
        owners = owners_environment([worker.pid] if worker is not None and worker.pid else [])
        try:
            pipes.run(context=context, command=command, env={OUTCOME_VARIABLE: str(outcome), **owners})
        except dg.DagsterError as error:
            told = outcome.read_text() if outcome.exists() else ""
            raise failure_of(told, 1, wanted.output) from error
