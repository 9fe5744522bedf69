"""How a training run can end other than well."""

from __future__ import annotations


class TrainingError(RuntimeError):
    """The run failed; the message says what happened and what to do."""


class TrainingInterrupted(KeyboardInterrupt):
    """The run was told to stop (Ctrl-C, SIGTERM), saved its state and can be resumed."""
