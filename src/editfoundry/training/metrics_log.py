"""Sends a run's settings and loss curve to MLflow, where the configuration names a server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from editfoundry.training.config import TrainingConfig
from editfoundry.training.history import History
from editfoundry.training.samples import FOLDER, sample_path

LogStep = Callable[[History, float], None]
"""Called after each step with the history and the learning rate."""


@contextmanager
def metrics_log(config: TrainingConfig, run_hash: str, visible: bool) -> Iterator[LogStep]:
    """Yield the function to call after each step; it does nothing without a server or where not ``visible``."""
    if not visible or config.mlflow_tracking_uri is None:
        yield lambda history, rate: None
        return
    from editfoundry.tracking.mlflow_client import tracked_run

    tags = {"run_hash": run_hash}
    name = config.output.name
    with tracked_run(config.mlflow_experiment, name, config.as_dict(), tags, config.mlflow_tracking_uri) as run:

        def log_step(history: History, rate: float) -> None:
            if history.validation_losses and history.validation_losses[-1][0] == history.step:
                run.log_metric("validation_loss", history.validation_losses[-1][1], history.step)
            grid = sample_path(config, history.step)
            if grid.is_file():
                run.log_artifact(grid, FOLDER)
            if history.step % config.log_every and history.step != config.num_steps:
                return
            recent = history.losses[-config.log_every :]
            run.log_metric("loss", sum(recent) / len(recent), history.step)
            run.log_metric("learning_rate", rate, history.step)
            speed = history.step * config.batch_size / max(history.seconds, 1e-9)
            run.log_metric("samples_per_second", speed, history.step)

        yield log_step
