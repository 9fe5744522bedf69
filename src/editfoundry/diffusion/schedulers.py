"""Any of diffusers' samplers by its name."""

from __future__ import annotations

import inspect
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from editfoundry.errors import BadInputError, one_line

if TYPE_CHECKING:
    import torch
    from torch import Tensor

PREDICTION_TYPES = ("epsilon", "v_prediction")
"""What our denoisers predict, by diffusers' names."""
_DROPPED = ("scheduler", "discrete")
"""Parts of diffusers' class names that a person may leave out."""

_UNSEEDED = "DPMSolverSDEScheduler"
"""It adds noise and takes no generator, so that a picture would differ from run to run."""
_OFF_WHERE_UNKNOWN = ("clip_sample", "thresholding")
"""What a scheduler that has no such setting does not do."""
_KEPT = (
    *_OFF_WHERE_UNKNOWN,
    "num_train_timesteps",
    "beta_start",
    "beta_end",
    "beta_schedule",
    "trained_betas",
    "prediction_type",
    "rescale_betas_zero_snr",
    "clip_sample_range",
    "dynamic_thresholding_ratio",
    "sample_max_value",
    "set_alpha_to_one",
    "steps_offset",
    "timestep_spacing",
)
"""Settings that belong to the model and its noise schedule, whichever scheduler samples from it."""


def scheduler_by_name(name: str, current: Any) -> Any:
    """Return diffusers' scheduler ``name`` on the noise schedule of ``current``, which stays as it is.

    Args:
        name: a class of diffusers, in any spelling: ``EulerAncestralDiscreteScheduler``, ``euler-ancestral``, ``DDIM``.
        current: the editor's own scheduler; it says which others can sample from its model.

    Raises:
        BadInputError: diffusers has no such scheduler for this model, it needs a package that is not there, or it does
            not know the zero-terminal-SNR schedule that the model was trained on.
    """
    import diffusers

    known = {_short(kind): getattr(diffusers, kind) for kind in scheduler_names(current)}
    fitting = {short: kind for short, kind in known.items() if _knows_schedule(kind, current)}
    if _short(name) not in fitting:
        why = f"no scheduler {name!r} for this editor"
        if _short(name) in known:
            why = f"scheduler {name!r} has no zero-terminal-SNR schedule, which this editor was trained on"
        raise BadInputError(f"{why}; use one of {', '.join(sorted(fitting))}")
    try:
        return on_schedule_of(current, fitting[_short(name)])
    except (ImportError, ValueError) as error:
        raise BadInputError(f"scheduler {name!r} cannot be used: {one_line(error, 200)}") from error


def check_scheduler_name(name: str, folder: Path | None) -> None:
    """Refuse a scheduler's name before any model is loaded.

    Args:
        name: as `scheduler_by_name` takes it.
        folder: of the model, in diffusers' layout; where it is not on this disk, any scheduler of diffusers passes.

    Raises:
        BadInputError: as `scheduler_by_name`.
    """
    import diffusers

    current = None if folder is None else scheduler_in(folder)
    if current is not None:
        scheduler_by_name(name, current)
    elif _short(name) not in {_short(kind) for kind in dir(diffusers) if kind.endswith("Scheduler")}:
        raise BadInputError(f"diffusers has no scheduler {name!r}: use one of its names, such as ddim")


def scheduler_in(folder: Path) -> Any:
    """Return the scheduler of a model's folder; None where there is none that opens, which loading the model tells."""
    import diffusers

    try:
        kind = json.loads((folder / "scheduler" / "scheduler_config.json").read_text())["_class_name"]
        return getattr(diffusers, kind).from_pretrained(folder, subfolder="scheduler")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def scheduler_step(
    scheduler: Any, output: Tensor, timestep: Tensor, latents: Tensor, generators: Sequence[torch.Generator]
) -> Tensor:
    """Take one step of any of diffusers' schedulers; those that add noise draw each picture's from its own generator.

    Args:
        scheduler: its timesteps are set.
        output: ``(B, C, H, W)``, what the denoiser predicts.
        timestep: a scalar.
        latents: ``(B, C, H, W)`` at that timestep.
        generators: one for each of the ``B`` pictures.

    Returns:
        ``(B, C, H, W)`` at the next timestep.
    """
    takes_generators = "generator" in inspect.signature(scheduler.step).parameters
    drawn = {"generator": list(generators)} if takes_generators else {}
    stepped: Tensor = scheduler.step(output, timestep, latents, **drawn, return_dict=False)[0]
    return stepped


def on_schedule_of(current: Any, scheduler_class: Any, **changes: Any) -> Any:
    """Return a scheduler of another class for the model that ``current`` samples from, which stays as it is.

    diffusers fills in what a configuration leaves out with the defaults of the class that reads it, and those differ:
    DDIM clips samples to [-1, 1] where PNDM, which knows no such setting, never does, and a latent picture washes out.
    Here what is left out is what ``current`` takes for it.

    Args:
        current: the model's own scheduler.
        scheduler_class: one that can take its place.
        changes: settings that shall differ.
    """
    accepted = inspect.signature(scheduler_class.__init__).parameters
    kept = {name: current.config[name] for name in _KEPT if name in accepted and name in current.config}
    off = {name: False for name in _OFF_WHERE_UNKNOWN if name in accepted and name not in current.config}
    return scheduler_class.from_config(current.config, **{**kept, **off, **changes})


def scheduler_names(current: Any) -> list[str]:
    """Return the names of diffusers' classes that can take the place of ``current``, whose own is among them."""
    own = type(current)
    names = {kind.__name__ for kind in current.compatibles if own in _compatibles(kind, own)}
    return sorted({own.__name__, *names} - {_UNSEEDED})


def _knows_schedule(kind: Any, current: Any) -> bool:
    is_zero = bool(current.config.get("rescale_betas_zero_snr"))
    return not is_zero or "rescale_betas_zero_snr" in inspect.signature(kind.__init__).parameters


def _compatibles(kind: Any, own: type) -> list[type]:
    # In the place of a class whose packages are not installed, diffusers has one without methods.
    known: list[type] = kind._get_compatibles() if hasattr(kind, "_get_compatibles") else [own]
    return known


def _short(name: str) -> str:
    text = "".join(letter for letter in name.lower() if letter.isalnum())
    for part in _DROPPED:
        text = text.replace(part, "")
    return text
