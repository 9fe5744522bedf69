"""Sends a run's settings, loss curve and pictures to MLflow, where the configuration names a server.

A thread does the sending, so that a server that is slow, full or dead neither holds up nor ends a training: what it
does not take waits in memory, and is sent once it answers.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from editfoundry.errors import one_line
from editfoundry.tracking.mlflow_client import TrackedRun, distinct_name, tracked_run
from editfoundry.training.history import History
from editfoundry.training.loop_config import LoopConfig
from editfoundry.training.precision import Precision
from editfoundry.training.sample_pictures import FOLDER, sample_path

log = logging.getLogger(__name__)

RUN_HASH_TAG = "run_hash"
"""Of a run: what the training depends on, by which the run of a checkpoint is found."""
RETRY_SECONDS = 15.0
"""Between tries to reach a server that failed."""
CLOSE_SECONDS = 60.0
"""That a finished training waits for what is not sent yet."""
LogStep = Callable[[History, float], None]
"""Called after each step with the history and the learning rate."""
_Send = Callable[[TrackedRun], None]


@contextmanager
def metrics_log(config: LoopConfig, run_hash: str, precision: Precision, visible: bool) -> Iterator[LogStep]:
    """Yield the function to call after each step; it does nothing without a server or where not ``visible``."""
    if not visible or config.mlflow_tracking_uri is None:
        yield lambda history, rate: None
        return
    sender = _Sender(config, run_hash, precision)
    sender.start()
    try:
        yield lambda history, rate: _log_step(sender, config, history, rate)
    except BaseException as error:
        sender.close(error)
        raise
    sender.close(None)


def _log_step(sender: _Sender, config: LoopConfig, history: History, rate: float) -> None:
    step = history.step
    if history.validation_losses and history.validation_losses[-1][0] == step:
        sender.put_metrics({"validation_loss": history.validation_losses[-1][1]}, step)
    picture = sample_path(config.output, step)
    if picture.is_file():
        sender.put(lambda run: run.log_artifact(picture, FOLDER))
    if step % config.log_every and step != config.num_steps:
        return
    recent = history.losses[-config.log_every :]
    speed = step * config.batch_size / max(history.seconds, 1e-9)
    sender.put_metrics({"loss": sum(recent) / len(recent), "learning_rate": rate, "samples_per_second": speed}, step)


class _Sender(threading.Thread):
    """Opens the run, sends what is put in the order it came, and ends the run as the training ended."""

    def __init__(self, config: LoopConfig, run_hash: str, precision: Precision) -> None:
        super().__init__(name="mlflow", daemon=True)
        self._config, self._run_hash = config, run_hash
        self._parameters = {**config.as_dict(), **precision.facts()}
        self._waiting: queue.SimpleQueue[_Send | None] = queue.SimpleQueue()
        self._closing = threading.Event()
        self._end: BaseException | None = None
        self._has_warned = False

    def put(self, send: _Send) -> None:
        self._waiting.put(send)

    def put_metrics(self, values: dict[str, float], step: int) -> None:
        def send(run: TrackedRun) -> None:
            for name, value in values.items():
                run.log_metric(name, value, step)

        self.put(send)

    def close(self, end: BaseException | None) -> None:
        """Wait a while for what is not sent yet; ``end`` is what the training was ended by."""
        self._end = end
        self._waiting.put(None)
        self._closing.set()
        self.join(CLOSE_SECONDS)
        if self.is_alive() or self._waiting.qsize():
            log.warning("MLflow at %s has not got the whole log of this training", self._config.mlflow_tracking_uri)

    def run(self) -> None:
        logging.getLogger("urllib3").setLevel(logging.ERROR)
        config = self._config
        tags = {RUN_HASH_TAG: self._run_hash}
        while True:
            try:
                data = str(config.identity().get("dataset", ""))
                name = distinct_name(config.output.name, data)
                with tracked_run(
                    config.mlflow_experiment, name, self._parameters, tags, config.mlflow_tracking_uri
                ) as run:
                    if data:
                        run.log_dataset("dataset", data, str(getattr(config, "dataset", "")))
                    self._send_all(run)
                    if self._end is not None:
                        raise self._end
                return
            except BaseException as error:
                if error is self._end or not self._may_retry(error):
                    return

    def _send_all(self, run: TrackedRun) -> None:
        while (send := self._waiting.get()) is not None:
            while True:
                try:
                    send(run)
                    break
                except Exception as error:
                    if not self._may_retry(error):
                        return

    def _may_retry(self, error: BaseException) -> bool:
        """Warn the first time; wait, and tell whether another try makes sense: not where the training is over."""
        if not self._has_warned:
            self._has_warned = True
            log.warning(
                "MLflow at %s takes nothing (%s); training goes on, and its log is sent later",
                self._config.mlflow_tracking_uri,
                one_line(error, 200),
            )
        was_closing = self._closing.is_set()
        self._closing.wait(RETRY_SECONDS)
        return not was_closing
