"""How a training run can end other than well."""

from __future__ import annotations

_SIGNS_OF_A_LOST_PROCESS = ("Connection closed by peer", "Connection reset by peer", "Broken pipe", "NCCL", "gloo")
"""In the messages of torch.distributed's errors, whose classes vary."""


class TrainingError(RuntimeError):
    """The run failed; the message says what happened and what to do."""


def is_lost_process(error: BaseException) -> bool:
    """Tell whether a collective operation failed because another process of the run has ended."""
    text = str(error)
    return not isinstance(error, TrainingError) and any(sign in text for sign in _SIGNS_OF_A_LOST_PROCESS)


class TrainingInterrupted(KeyboardInterrupt):
    """The run was told to stop (Ctrl-C, SIGTERM), saved its state and can be resumed."""
