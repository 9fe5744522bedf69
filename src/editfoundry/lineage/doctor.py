"""Says of a profile what is here, what is missing, what it weighs, and of each stage whether it can run here.

Nothing is fetched and no weights are loaded: sizes and memory are arithmetic on configuration files.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from editfoundry.errors import BadInputError, problems_of
from editfoundry.execution.stage_record import StageParams
from editfoundry.lineage.memory_plan import Footprints, Phase, is_endpoint, stage_phases
from editfoundry.lineage.stages import MAIN_LINE, check_params
from editfoundry.pretrained.files import fetch_command, model_files
from editfoundry.profiles import BYTES_OF, Profile, load_profile

GIB = 2**30
USABLE = 0.95
"""Share of a device's memory that models can have; the rest is the driver's and the allocator's."""
READY, WAITS, TOO_SMALL, REFUSED = "ready", "fetch models first", "does not fit", "refused"


@dataclass(frozen=True, kw_only=True)
class Device:
    """What models could run on."""

    name: str
    num_bytes: int
    """Of memory: of a GPU all of it, of a CPU what is available now."""
    is_gpu: bool = True


@dataclass(frozen=True, kw_only=True)
class RoleReport:
    """What is known of a role's model."""

    role: str
    model: str
    license: str
    num_parameters: int | None
    """None where no configuration is at hand."""
    num_bytes_on_disk: int | None
    """What lies here, or what a download will take."""
    is_here: bool
    offload: str
    fetch: str | None
    """The command that fetches what is missing."""


@dataclass(frozen=True, kw_only=True)
class StageReport:
    """Whether a stage can run here."""

    stage: str
    verdict: str
    reason: str
    needed: int
    """Bytes of its largest phase."""
    phases: tuple[Phase, ...]


@dataclass(frozen=True, kw_only=True)
class Examination:
    """Everything that the doctor says."""

    profile: str
    devices: tuple[Device, ...]
    precision: str
    roles: tuple[RoleReport, ...]
    stages: tuple[StageReport, ...]
    problems: tuple[str, ...]
    """What the check at the start refuses, sources that are not named included."""

    @property
    def is_ready(self) -> bool:
        """Whether every stage of the main line can run here now."""
        return all(stage.verdict == READY for stage in self.stages)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values."""
        return {**asdict(self), "is_ready": self.is_ready}


def examine(params: StageParams, root: Path, memory: int | None = None) -> Examination:
    """Look at a profile, this machine and the stages.

    Args:
        params: of all stages; they name the profile.
        root: the project's folder.
        memory: bytes of a GPU to suppose in the place of this machine's devices.

    Raises:
        BadInputError: there is no such profile, or a configuration file is damaged.
    """
    profile = load_profile(params.profile)
    devices = find_devices() if memory is None else (Device(name="supposed GPU", num_bytes=memory),)
    precision = "bfloat16" if devices[0].is_gpu else "float32"
    footprints = Footprints(profile, precision)
    roles = tuple(_role(profile, role, footprints) for role in profile.models)
    refused = _refused(params, root)
    phases = stage_phases(params, profile, footprints, offloads=devices[0].is_gpu)
    here = {report.role: report.is_here for report in roles}
    stages = tuple(_stage(name, refused.get(name, ()), phases, here, devices[0]) for name in refused)
    return Examination(
        profile=params.profile,
        devices=devices,
        precision=precision,
        roles=roles,
        stages=stages,
        problems=tuple(problem for found in refused.values() for problem in found),
    )


def find_devices() -> tuple[Device, ...]:
    """Return the GPUs that torch sees, or else the CPU with the memory that is available."""
    import torch

    if torch.cuda.is_available():
        found = [torch.cuda.get_device_properties(number) for number in range(torch.cuda.device_count())]
        return tuple(Device(name=gpu.name, num_bytes=gpu.total_memory) for gpu in found)
    return (Device(name="CPU", num_bytes=_available_memory(), is_gpu=False),)


def _available_memory() -> int:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("MemAvailable:")).split()[1]) * 1024
    except (OSError, StopIteration):
        import os

        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _role(profile: Profile, role: str, footprints: Footprints) -> RoleReport:
    reference = profile.model(role)
    if is_endpoint(profile, role):
        return RoleReport(
            role=role, model=str(reference), license=reference.license, num_parameters=None, num_bytes_on_disk=0,
            is_here=True, offload="", fetch=None,
        )  # fmt: skip
    skeleton = footprints.skeleton(role)
    files = model_files(reference)
    count = None if skeleton is None else skeleton.num_parameters
    stored = None if skeleton is None else skeleton.num_stored * BYTES_OF[reference.stored]
    return RoleReport(
        role=role,
        model=str(reference),
        license=reference.license,
        num_parameters=count,
        num_bytes_on_disk=stored if files.missing else files.num_bytes,
        is_here=not files.missing,
        offload=reference.offload,
        fetch=fetch_command(reference) if files.missing else None,
    )


def _refused(params: StageParams, root: Path) -> dict[str, tuple[str, ...]]:
    """Return stage -> what the check at the start refuses of it."""
    found: dict[str, tuple[str, ...]] = {}
    for stage in MAIN_LINE:
        try:
            check_params(params, root, None, [stage])
            found[stage.name] = ()
        except BadInputError as error:
            found[stage.name] = tuple(p.removeprefix(f"parameters: section {stage.name}: ") for p in problems_of(error))
    return found


def _stage(
    name: str, problems: Iterable[str], phases: Iterable[Phase], here: Mapping[str, bool], device: Device
) -> StageReport:
    own = tuple(phase for phase in phases if phase.stage == name)
    largest = max(own, key=lambda phase: phase.needed, default=None)
    needed = 0 if largest is None else largest.needed
    missing = [role for role in dict.fromkeys(r for phase in own for r in phase.resident) if not here[role]]
    verdict, reason = READY, ""
    if problems := list(problems):
        verdict, reason = REFUSED, "; ".join(problems)
    elif largest is not None and needed > device.num_bytes * USABLE:
        verdict = TOO_SMALL
        reason = f"{largest.name} takes {gib(needed)} of the {gib(device.num_bytes)} of {device.name}"
    elif missing:
        verdict, reason = WAITS, ", ".join(missing)
    elif largest is not None:
        reason = f"{largest.name} takes {gib(needed)} of {gib(device.num_bytes)}"
    return StageReport(stage=name, verdict=verdict, reason=reason, needed=needed, phases=own)


def gib(num_bytes: int) -> str:
    """Return a size as a person reads it."""
    return f"{num_bytes / GIB:.1f} GiB" if num_bytes >= GIB / 10 else f"{num_bytes / 2**20:.1f} MiB"
