"""Trains all embedded models, each in a process of its own: one after the other on CPUs, several at once on a GPU.

What is done is not done again, and what was interrupted goes on. With a time by which everything has to be over, each
training has to be over by its share of it, so that one that is slower than thought is shorter and holds up no other.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from editfoundry.data.hashing import input_hash
from editfoundry.errors import BadInputError
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.pretraining.all_pretrainings import PRETRAININGS, VAE_FOLDER
from editfoundry.pretraining.card import models_of
from editfoundry.pretraining.shared_files import share_equal_files, unshare_files
from editfoundry.training.failures import TrainingError
from editfoundry.training.owners import owners_environment

log = logging.getLogger(__name__)

AT_ONCE_ON_GPU = 10
"""Small models leave a GPU idle while their next step is prepared."""
DRAWN_AT_ONCE = 2
"""One takes a while to begin."""
TOLD_EVERY = 10.0
"""Seconds between two lines of one training that are told; its log has them all."""
LATER_NICENESS = 5
"""Of a training that no other one waits for, where some do for others."""
SAVING_SECONDS = 15.0
"""Of the time, kept back for what is not training: the last models' weights are written."""
_POLL_SECONDS = 0.2


@dataclass(frozen=True, kw_only=True)
class Suite:
    """A training of all, or of some, of the embedded models."""

    work_dir: Path
    """Caches, checkpoints, what is done, and ``logs``."""
    out: Path
    """Gets the models; those that are missing there and are needed come from the package."""
    device: str = "auto"
    minutes: float | None = None
    """That it may take; by default each training takes its steps."""
    only: Sequence[str] = ()
    """Names of `PRETRAININGS`; by default all whose models are shipped."""
    num_steps: int | None = None
    """Of each training; by default those of the shipped models."""
    num_examples: int | None = None
    """That each learns from; by default the recipes' own numbers."""
    continue_shipped: bool = False
    """Whether those that can, see `Pretraining.can_warm_start`, start from what is shipped."""
    is_tracked: bool = True

    def __post_init__(self) -> None:
        unknown = [name for name in self.only if name not in PRETRAININGS]
        if unknown:
            raise BadInputError(f"no pretraining {unknown[0]!r}: they are {', '.join(PRETRAININGS)}")
        if "vae_decoder" in self.only:
            raise BadInputError("vae_decoder changes the models of the others: name it alone, when they are trained")

    def run(self) -> dict[str, str]:
        """Train what is not trained yet; return what became of each: ``trained`` or ``was trained``.

        Raises:
            TrainingError: a training failed; those that do not need it were finished before.
        """
        self.work_dir.mkdir(parents=True, exist_ok=True)
        self.out.mkdir(parents=True, exist_ok=True)
        unshare_files(self.out)
        shipped = [name for name, recipe in PRETRAININGS.items() if not recipe.is_only_named]
        names = [name for name in PRETRAININGS if name in (self.only or shipped)]
        became = {name: "was trained" for name in names if self.is_done(name)}
        run = _Run(self, [name for name in names if name not in became])
        try:
            run.finish()
        finally:
            share_equal_files(self.out)
        return {name: became.get(name, "trained") for name in names}

    def is_done(self, name: str) -> bool:
        """Tell whether a training was finished with today's settings, and from models that still are the newest."""
        path = self._done_path(name)
        folders = [self.out / model for model in models_of(name)]
        is_there = all(folder.is_dir() for folder in folders or [self.work_dir / VAE_FOLDER])
        return is_there and path.is_file() and path.read_text() == self.digest(name)

    def mark_done(self, name: str) -> None:
        """Remember that a training is finished."""
        self._done_path(name).write_text(self.digest(name))

    def digest(self, name: str) -> str:
        """Return a hash of a training's settings and of those of the trainings whose models it starts from."""
        recipe = PRETRAININGS[name]
        device = choose_runtime(self.device, "float32").device
        config, numbers = recipe.config_on(device), self.num_examples or dict(recipe.examples_on(device))
        before = [self.digest(other) for other in self.after(name) if not self.only or other in self.only]
        return input_hash(name, config, self.num_steps, numbers, self._warm_starts(name), before)

    def after(self, name: str) -> tuple[str, ...]:
        """Return the trainings that one waits for."""
        recipe = PRETRAININGS[name]
        is_warm = self.continue_shipped and recipe.after_warm is not None
        return recipe.after_warm or () if is_warm else recipe.after

    def command(self, name: str, ends_at: float | None) -> list[str]:
        """Return the command line that trains one of them."""
        options = ["--work-dir", self.work_dir, "--out", self.out, "--device", self.device]
        options += ["--ends-at", ends_at] if ends_at is not None else []
        options += ["--num-steps", self.num_steps] if self.num_steps is not None else []
        options += ["--num-examples", self.num_examples] if self.num_examples is not None else []
        options += ["--continue-shipped"] if self._warm_starts(name) else []
        options += ["--no-share"] + ([] if self.is_tracked else ["--no-track"])
        return [sys.executable, "-m", "editfoundry", "tinyworld", "pretrain", name, *map(str, options)]

    def drawing_command(self, name: str) -> list[str]:
        """Return the command line that draws, ahead of it, what one of them learns from."""
        return [*self.command(name, None), "--only-draw"]

    def _warm_starts(self, name: str) -> bool:
        return self.continue_shipped and PRETRAININGS[name].can_warm_start

    def _done_path(self, name: str) -> Path:
        return self.work_dir / f"{name}.done"


@dataclass
class _Run:
    """One run of a suite: what waits, what is under way, what failed."""

    suite: Suite
    waiting: list[str]
    under_way: dict[str, subprocess.Popen[str]] = field(default_factory=dict)
    to_draw: list[str] = field(default_factory=list)
    """Trainings whose pictures are drawn while they wait, in this order."""
    drawing: dict[str, subprocess.Popen[str]] = field(default_factory=dict)
    """What draws for the first of them."""
    relays: dict[str, threading.Thread] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)
    started_at: float = field(default_factory=time.time)

    def finish(self) -> None:
        (self.suite.work_dir / "logs").mkdir(exist_ok=True)
        is_on_gpu = choose_runtime(self.suite.device, "float32").device.type == "cuda"
        at_once = AT_ONCE_ON_GPU if is_on_gpu else 1
        try:
            if is_on_gpu:
                self.to_draw = self._drawn_ahead()
            while self.waiting or self.under_way:
                for name in self._ready()[: at_once - len(self.under_way)]:
                    self._begin(name)
                if not self.under_way and not self.to_draw:
                    break
                time.sleep(_POLL_SECONDS)
                self._take_finished()
        finally:
            # SIGTERM lets a training save its state.
            children = [*self.under_way.values(), *self.drawing.values()]
            for child in children:
                child.terminate()
            for child in children:
                child.wait()
        if self.failed:
            logs = ", ".join(str(self._log_path(name)) for name in self.failed)
            left = f"; not begun: {', '.join(self.waiting)}" if self.waiting else ""
            raise TrainingError(f"{', '.join(self.failed)} failed: {logs} says why{left}; the same command goes on")

    def _drawn_ahead(self) -> list[str]:
        """Return for which trainings the cores draw while a GPU is at work on those that they wait for."""
        return [
            name
            for name in self.waiting
            if PRETRAININGS[name].draw is not None and {*self.waiting} & {*self.suite.after(name)}
        ]

    def _draw(self) -> None:
        """Go on drawing."""
        for name in [name for name, child in self.drawing.items() if child.poll() is not None]:
            # One that failed leaves it to the training, which says what is wrong.
            del self.drawing[name]
            self.to_draw.remove(name)
        for name in self.to_draw[:DRAWN_AT_ONCE]:
            if name not in self.drawing:
                self.drawing[name] = self._child(self.suite.drawing_command(name), subprocess.DEVNULL)

    def _ready(self) -> list[str]:
        self._draw()
        pending = {*self.waiting, *self.under_way, *self.failed}
        return [name for name in self.waiting if name not in self.to_draw and not pending & {*self.suite.after(name)}]

    def _begin(self, name: str) -> None:
        self.waiting.remove(name)
        log.info("%s: begins", name)
        child = self._child(self.suite.command(name, self._ends_at(name)), subprocess.PIPE)
        urgent = [other for other in [name, *self.under_way, *self.waiting] if self._others_wait_for(other)]
        if urgent and name not in urgent:
            # The cores draw first what the longest chain of trainings needs.
            os.setpriority(os.PRIO_PROCESS, child.pid, LATER_NICENESS)
        self.under_way[name] = child
        assert child.stdout is not None
        self.relays[name] = threading.Thread(
            target=_relay, args=(name, child.stdout, self._log_path(name)), daemon=True
        )
        self.relays[name].start()

    def _others_wait_for(self, name: str) -> bool:
        return any(name in self.suite.after(other) for other in self.waiting)

    def _child(self, command: list[str], output: int) -> subprocess.Popen[str]:
        environment = {**os.environ, **owners_environment()}
        return subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, text=True, env=environment)

    def _ends_at(self, name: str) -> float | None:
        if self.suite.minutes is None:
            return None
        seconds = max(0.0, 60 * self.suite.minutes - SAVING_SECONDS)
        return self.started_at + PRETRAININGS[name].over_by * seconds

    def _take_finished(self) -> None:
        for name, child in [*self.under_way.items()]:
            status = child.poll()
            if status is None:
                continue
            del self.under_way[name]
            self.relays[name].join()
            log.info(
                "%s: %s, %.0f s in", name, f"failed ({status})" if status else "done", time.time() - self.started_at
            )
            if status:
                self.failed.append(name)
            else:
                self.suite.mark_done(name)

    def _log_path(self, name: str) -> Path:
        return self.suite.work_dir / "logs" / f"{name}.log"


def _relay(name: str, output: IO[str], path: Path) -> None:
    """Write a training's output into its log, and tell of it a line now and then."""
    told_at = 0.0
    with path.open("a", encoding="utf-8") as file:
        for line in output:
            file.write(line)
            file.flush()
            if line.strip() and time.monotonic() - told_at >= TOLD_EVERY:
                told_at = time.monotonic()
                log.info("%s: %s", name, line.strip())
