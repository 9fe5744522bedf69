"""The training loop: Accelerate, gradient accumulation, clipping, running average, exact resumption."""

from __future__ import annotations

import logging
import math
import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, NoReturn, TypeVar

from accelerate import Accelerator, InitProcessGroupKwargs
from accelerate.utils import set_seed
from torch import Tensor, nn

from editfoundry.data.atomic import restore_folder
from editfoundry.data.output_folder import check_claim, claim_output
from editfoundry.errors import BadInputError, UnavailableError, one_line
from editfoundry.execution.output_lock import output_lock
from editfoundry.training.averaging import RunningAverage, averaged_weights
from editfoundry.training.failures import TrainingError, TrainingInterrupted, is_lost_process
from editfoundry.training.fingerprint import is_trained, read_summary
from editfoundry.training.finished import save_finished
from editfoundry.training.history import History
from editfoundry.training.loop_config import LoopConfig
from editfoundry.training.metrics_log import metrics_log
from editfoundry.training.optimizer import learning_rate, make_optimizer, set_learning_rate, trainable
from editfoundry.training.precision import Precision
from editfoundry.training.prefetch import made_ahead
from editfoundry.training.remote_checkpoints import RemoteCheckpoints
from editfoundry.training.resume import load_resumable, save_resumable
from editfoundry.training.resume_folder import last_good_state
from editfoundry.training.run_folder import writing
from editfoundry.training.sample_pictures import sample_path
from editfoundry.training.schedule import Schedule
from editfoundry.training.step_outcome import LaunchedStep, StepOutcome
from editfoundry.training.stopping import stop_requests
from editfoundry.training.trainee import Trainee, Validation
from editfoundry.training.training_progress import progress
from editfoundry.training.validation import evaluating, validation_loss

log = logging.getLogger(__name__)

Stop = Callable[[], bool]
Config = TypeVar("Config", bound=LoopConfig)
Load = Callable[[Config, Accelerator], Trainee]
ROOM_WAIT_SECONDS, ROOM_RETRY_SECONDS = 600.0, 15.0
"""That a finished training waits for room on the disk, and between two looks."""
STEPS_IN_FLIGHT = {"cuda": 1}
"""Steps, by the kind of device, that it may still be at work on while the next one is begun; none on any other."""
LOCK_WAIT_SECONDS = 10.0
"""That a training waits for the output folder, if another one is at work on it."""


def train(config: Config, load: Load[Config], should_stop: Stop | None = None) -> dict[str, Any]:
    """Train a model and leave it in ``output``; nothing is done where it is there already.

    Under ``accelerate launch`` every process calls this. A run that was interrupted resumes.

    Args:
        config: what to train on what.
        load: loads the model and opens the data of ``config``; every process calls it.
        should_stop: asked after every step; by default a SIGINT or SIGTERM stops the run.

    Returns:
        The content of the finished checkpoint's ``training.json``.

    Raises:
        BadInputError: the configuration, the data or the model cannot be used, or ``output`` holds something else.
        TrainingInterrupted: stopped; its state is saved.
        UnavailableError: another training is at work on ``output``.
        TrainingError: the loss is no longer a number, the disk is full, or another process has ended.
    """
    config.check_output()
    with _sole_trainer(config):
        restore_folder(config.output)
        if is_trained(config):
            log.info("%s is trained already, with the same settings and data", config.output)
        else:
            check_claim(config.output, config.STAGE)
            _train(config, load, should_stop)
    return read_summary(config)


def _train(config: Config, load: Load[Config], should_stop: Stop | None) -> None:
    # Its own lines, "[RANK 0] Saving current state", would break the progress bar.
    logging.getLogger("accelerate").setLevel(logging.WARNING)
    # That weights which a model uses twice are saved once, at every checkpoint.
    logging.getLogger("accelerate.utils.other").setLevel(logging.ERROR)
    precision = Precision.of(config)
    precision.switch_on()
    accelerator = _accelerator(config, precision)
    # LoRA starts at random, the same on every process.
    set_seed(config.seed)
    trainee = load(config, accelerator)
    if accelerator.is_main_process:
        claim_output(config.output, config.STAGE)
        processes, device = accelerator.num_processes, accelerator.device
        log.info("training on %s, processes: %d, on %s, in %s", trainee.data_description, processes, device, precision)
    try:
        run = _Run.start(config, trainee, accelerator, precision)
        with stop_requests() as signalled:
            run.fit(should_stop or signalled)
        run.finish()
    except RuntimeError as error:
        if not is_lost_process(error):
            raise
        raise TrainingError(
            f"one of its processes was killed or failed ({one_line(error, 120)}); "
            f"{last_good_state(config.output)}, and the same command goes on from there"
        ) from error


@contextmanager
def _sole_trainer(config: LoopConfig) -> Iterator[None]:
    """Hold the output folder, in the first process; a trainer that is just saving its state is waited for.

    Raises:
        UnavailableError: another training is at work on it.
    """
    if os.environ.get("RANK", "0") != "0":
        yield
        return
    with ExitStack() as held:
        give_up_at = time.monotonic() + LOCK_WAIT_SECONDS
        while True:
            try:
                held.enter_context(output_lock(config.output, config.STAGE))
                break
            except UnavailableError:
                if time.monotonic() >= give_up_at:
                    raise
                time.sleep(0.5)
        yield


@dataclass
class _Run:
    config: LoopConfig
    trainee: Trainee
    accelerator: Accelerator
    precision: Precision
    modules: list[nn.Module]
    """Those of ``trainee.parts``, as Accelerate wrapped them."""
    optimizer: Any
    average: RunningAverage | None
    averaged: list[nn.Parameter]
    validations: Sequence[Validation]
    history: History
    saved_at: float
    """When the last resumable checkpoint was written, or the loop began, by the monotonic clock."""
    schedule: Schedule
    launched_share: float
    """Of the schedule that is done once the launched steps are."""
    launched: deque[LaunchedStep] = field(default_factory=deque)
    """Steps that were begun and not looked at yet, the first of them the one after ``history.step``."""

    @classmethod
    def start(cls, config: LoopConfig, trainee: Trainee, accelerator: Accelerator, precision: Precision) -> _Run:
        parts = trainee.parts
        optimizer = make_optimizer(config, parts)
        # The trainee chose the device.
        placed = [False] * (len(parts) + 1)
        *modules, optimizer = accelerator.prepare(*(part.module for part in parts), optimizer, device_placement=placed)
        # Only now: FSDP puts other parameters in the place of those that were there.
        averaged = [
            p for part, module in zip(parts, modules, strict=True) if part.is_averaged for p in trainable(module)
        ]
        average = None
        if config.use_ema:
            average = RunningAverage(averaged, config.ema_decay, config.ema_update_after_step, config.ema_on_cpu)
        # For models with dropout, which should differ from process to process.
        set_seed(config.seed, device_specific=True)
        history = load_resumable(accelerator, config, average)
        validations = trainee.validation()
        return cls(
            config,
            trainee,
            accelerator,
            precision,
            modules,
            optimizer,
            average,
            averaged,
            validations,
            history,
            time.monotonic(),
            Schedule.start(config, history.share),
            history.share,
        )

    def fit(self, should_stop: Stop) -> None:
        config, history = self.config, self.history
        visible = self.accelerator.is_main_process
        parts = parts_of(config, self.accelerator.process_index, self.accelerator.num_processes)
        wanted = ((step, part) for step in range(history.step, config.num_steps) for part in parts)
        with (
            metrics_log(config, history.run_hash, self.precision, visible) as log_step,
            progress(config.num_steps, history.step, config.batch_size, config.log_every, visible) as show,
            made_ahead(lambda place: self.trainee.batch(*place), wanted) as batches,
        ):
            while self._is_more_to_launch():
                started = time.monotonic()
                self._launch(batches, should_stop)
                seen = self._look_at_launched()
                history.seconds += time.monotonic() - started
                if not seen:
                    continue
                self._validate_and_sample()
                rate = self._rate(history.step - 1, history.share)
                show(history, rate)
                log_step(history, rate)
                stop = any(outcome.stop for outcome in seen) and not self._is_over()
                if stop or self._is_checkpoint_due(seen):
                    save_resumable(self.accelerator, self.config, history, self.average)
                    self.saved_at = time.monotonic()
                if stop:
                    raise TrainingInterrupted(
                        f"stopped after step {history.step} of {config.num_steps}; the same command resumes there"
                    )

    def _is_over(self) -> bool:
        """Whether all is done and looked at."""
        return self._is_end(self.history.step, self.history.share)

    def _is_more_to_launch(self) -> bool:
        return not self._is_end(self._num_launched, self.launched_share)

    def _is_end(self, step: int, share: float) -> bool:
        return step >= self.config.num_steps or (self.config.ends_at is not None and share >= 1)

    def finish(self) -> None:
        config, output = self.config, self.config.output
        if self.average is not None:
            self.average.copy_to(self.averaged)
        whole = self._whole_weights()
        if self.accelerator.is_main_process:
            self._save_finished(whole)
            if config.checkpoint_uri is not None:
                RemoteCheckpoints.at(config.checkpoint_uri).clear()
            log.info("saved %s after %.0f s of training", output, self.history.seconds)
        self.accelerator.wait_for_everyone()
        self.accelerator.end_training()

    def _save_finished(self, whole: list[dict[str, Tensor]] | None) -> None:
        """Save the finished checkpoint; where there is no room, wait for it, for only this process has the weights."""
        output, give_up_at = self.config.output, time.monotonic() + ROOM_WAIT_SECONDS
        while True:
            try:
                with writing("the finished checkpoint", output, last_good_state(output)):
                    save_finished(self.config, self.trainee, self.history, self.precision, whole)
                return
            except TrainingError as error:
                if time.monotonic() >= give_up_at:
                    raise
                log.warning("%s; trying again for %.0f s", error, give_up_at - time.monotonic())
                time.sleep(ROOM_RETRY_SECONDS)

    @property
    def _num_launched(self) -> int:
        return self.history.step + len(self.launched)

    def _launch(self, batches: Iterator[Any], should_stop: Stop) -> None:
        """Begin the next step, without waiting for what it comes to."""
        set_learning_rate(self.optimizer, self.trainee.parts, self._rate(self._num_launched, self.launched_share))
        losses, norm, stop = [], None, False
        for _ in range(self.config.gradient_accumulation_steps):
            loss, norm = self._accumulate(next(batches))
            losses.append(loss)
            stop |= should_stop()
        if self.average is not None:
            self.average.step(self.averaged)
        every = self.config.checkpoint_every_seconds
        save = every is not None and time.monotonic() - self.saved_at >= every
        self.launched.append(LaunchedStep(self.accelerator, losses, norm, stop, save))
        self.launched_share = self.schedule.share(self._num_launched)

    def _rate(self, step: int, share: float) -> float:
        return learning_rate(self.config, step, None if self.config.ends_at is None else share)

    def _accumulate(self, batch: Any) -> tuple[Tensor, Tensor | None]:
        """Work through one part of a step; return its loss and, after the last part, the gradient's norm."""
        norm = None
        with self.accelerator.accumulate(*self.modules):
            with self.accelerator.autocast():
                loss = self.trainee.loss(self.modules, batch)
            self.accelerator.backward(loss)
            if self.accelerator.sync_gradients:
                parameters = [p for module in self.modules for p in trainable(module)]
                norm = self.accelerator.clip_grad_norm_(parameters, self.config.max_grad_norm)
            self.optimizer.step()
            self.optimizer.zero_grad(set_to_none=True)
        return loss.detach().float(), norm

    def _look_at_launched(self) -> list[StepOutcome]:
        """Take into the history what the launched steps came to: of all where something happens after the last one.

        Otherwise a GPU keeps a step to work on, and its host begins the next one meanwhile.
        """
        seen: list[StepOutcome] = []
        kept = 0 if self._is_looked_at(self._num_launched) else STEPS_IN_FLIGHT.get(self.accelerator.device.type, 0)
        while len(self.launched) > kept:
            outcome = self.launched.popleft().outcome()
            self._check(outcome)
            self.history.step += 1
            self.history.losses.append(outcome.loss)
            self.history.share = self.schedule.share(self.history.step)
            seen.append(outcome)
            if outcome.stop or outcome.save:
                kept = 0
        return seen

    def _is_looked_at(self, step: int) -> bool:
        """Return whether anything is logged, validated, drawn or saved after ``step`` steps."""
        config = self.config
        saves = config.checkpoint_every if config.checkpoint_every_seconds is None else 0
        intervals = (config.log_every, config.validate_every, config.sample_every, saves)
        return not self._is_more_to_launch() or any(every and step % every == 0 for every in intervals)

    def _is_checkpoint_due(self, seen: list[StepOutcome]) -> bool:
        if self.config.checkpoint_every_seconds is None:
            return self.history.step % self.config.checkpoint_every == 0
        return any(outcome.save for outcome in seen)

    def _validate_and_sample(self) -> None:
        """Validate and draw samples with the averaged weights, where it is time to."""
        config, step, is_last = self.config, self.history.step, self._is_over()
        validates = bool(self.validations) and (step % config.validate_every == 0 or is_last)
        samples = config.sample_every and (step % config.sample_every == 0 or is_last)
        if not validates and not samples:
            return
        with averaged_weights(self.average, self.averaged), evaluating(self.modules):
            if validates:
                size = config.batch_size // (self.accelerator.num_processes * config.gradient_accumulation_steps)
                loss = validation_loss(self.validations, self.modules, self.accelerator, max(1, size))
                self.history.validation_losses.append((step, loss))
            # A sharded model can only sample where all processes do.
            if samples and self.accelerator.is_main_process and not _is_sharded(self.accelerator):
                with self.accelerator.autocast():
                    self.trainee.write_samples(sample_path(config.output, step))
        self.accelerator.wait_for_everyone()

    def _whole_weights(self) -> list[dict[str, Tensor]] | None:
        """Return the parts' weights where each process has a share of them; all processes call this."""
        if not _is_sharded(self.accelerator):
            return None
        return [self.accelerator.get_state_dict(module) for module in self.modules]

    def _check(self, outcome: StepOutcome) -> None:
        if not math.isfinite(outcome.loss):
            self._diverged(f"the loss is {outcome.loss}")
        # With fp16, the gradient scaler passes over such a step by itself.
        if self.precision.mixed != "fp16" and not math.isfinite(outcome.gradient_norm):
            self._diverged(f"the gradient's norm is {outcome.gradient_norm}")

    def _diverged(self, what: str) -> NoReturn:
        raise TrainingError(
            f"{what} at step {self.history.step + 1}: lower learning_rate ({self.config.learning_rate:g}) or set "
            f"mixed_precision to no or bf16, and look for {self.trainee.likely_fault}; "
            f"{last_good_state(self.config.output)}"
        )


def parts_of(config: LoopConfig, process: int, num_processes: int) -> list[slice]:
    """Return the samples of a step that a process works through, one slice for each accumulation step."""
    size = config.batch_size // (num_processes * config.gradient_accumulation_steps)
    first = process * config.gradient_accumulation_steps
    return [slice(i * size, (i + 1) * size) for i in range(first, first + config.gradient_accumulation_steps)]


def _is_sharded(accelerator: Accelerator) -> bool:
    return accelerator.distributed_type.value == "FSDP"


def _accelerator(config: LoopConfig, precision: Precision) -> Accelerator:
    accelerator = Accelerator(
        mixed_precision=precision.mixed,
        gradient_accumulation_steps=config.gradient_accumulation_steps,
        kwargs_handlers=[InitProcessGroupKwargs(timeout=timedelta(hours=6))],
    )
    if config.ends_at is not None and accelerator.num_processes > 1:
        raise BadInputError("ends_at is set, but several processes, whose clocks differ, cannot end together: use one")
    num_parts = accelerator.num_processes * config.gradient_accumulation_steps
    if config.batch_size % num_parts:
        raise BadInputError(
            f"batch_size is {config.batch_size}, but must be a multiple of {num_parts}: "
            f"{accelerator.num_processes} processes times {config.gradient_accumulation_steps} accumulation steps"
        )
    if accelerator.distributed_type.value == "DEEPSPEED":
        # DeepSpeed would ask a data loader, which there is none of.
        settings = accelerator.state.deepspeed_plugin.deepspeed_config
        settings["train_micro_batch_size_per_gpu"] = config.batch_size // num_parts
        settings["gradient_accumulation_steps"] = config.gradient_accumulation_steps
        settings["gradient_clipping"] = config.max_grad_norm
    return accelerator
