"""The lineage: where each stage's output lies, its parameters, and one function a stage.

The command line, ``dvc.yaml``, Dagster and the demo all call these functions, so all of them make the same bytes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Any, get_args, get_origin, get_type_hints

from editfoundry.curation.filters import ClipThresholds
from editfoundry.curation.splits import SplitShares
from editfoundry.data.output_folder import claim_output
from editfoundry.data.record import Quadruple
from editfoundry.data.stage import StageResult, add_up
from editfoundry.errors import BadInputError
from editfoundry.profiles import Profile, load_profile
from editfoundry.sources.filters import LaionFilters

if TYPE_CHECKING:
    from editfoundry.pretrained.runtime import Runtime


@dataclass(frozen=True)
class Paths:
    """Where each stage's output lies under a project's folder."""

    root: Path

    @property
    def tinyworld_table(self) -> Path:
        """The LAION-schema table of tinyworld's captions."""
        return self.root / "data" / "tinyworld" / "captions.parquet"

    @property
    def captions(self) -> Path:
        """Shards of captions."""
        return self.root / "data" / "captions"

    @property
    def quadruples(self) -> Path:
        """Shards of quadruples."""
        return self.root / "data" / "quadruples"

    @property
    def editworld_text(self) -> Path:
        """Triplet shards of the text-to-image branch."""
        return self.root / "data" / "triplets" / "editworld-text"

    @property
    def dataset(self) -> Path:
        """The data set: ``train``, ``validation``, ``test``."""
        return self.root / "data" / "dataset"

    @property
    def editworld(self) -> Path:
        """The fine-tuned editor, in diffusers' layout."""
        return self.root / "checkpoints" / "editworld"

    @property
    def editworld_report(self) -> Path:
        """Report, summary and metrics."""
        return self.root / "reports" / "editworld"


@dataclass(frozen=True, kw_only=True)
class CaptionParams:
    """Parameters of the stage ``captions``."""

    num_rows: int = 480
    """Rows of the tinyworld table."""
    rows_per_shard: int = 60
    seed: int = 0
    filters: LaionFilters = field(default_factory=LaionFilters)


@dataclass(frozen=True, kw_only=True)
class QuadrupleParams:
    """Parameters of the stage ``quadruples``."""

    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class SynthesisParams:
    """Parameters of the stage ``editworld_text``; see ``synthesis.text_branch.TextBranchConfig``."""

    num_input_candidates: int = 2
    num_output_candidates: int = 4
    num_inference_steps: int = 20
    guidance_scale: float = 5.0
    tau: float = 0.8125
    attention_resolution: int = 16
    records_per_batch: int = 16
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class DatasetParams:
    """Parameters of the stage ``dataset``."""

    thresholds: ClipThresholds = field(default_factory=ClipThresholds)
    shares: SplitShares = field(default_factory=SplitShares)
    triplets_per_shard: int = 1000
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class ReportParams:
    """Parameters of the stage ``editworld_report``."""

    num_world_cases: int = 196
    num_new_rule_cases: int = 50
    num_plain_cases: int = 60
    num_inference_steps: int = 20
    guidance_scale: float = 5.0
    image_guidance_scale: float = 1.5
    batch_size: int = 32
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Params:
    """All parameters of the lineage, as ``params.yaml`` holds them."""

    profile: str = "embedded"
    device: str = "auto"
    captions: CaptionParams = field(default_factory=CaptionParams)
    quadruples: QuadrupleParams = field(default_factory=QuadrupleParams)
    editworld_text: SynthesisParams = field(default_factory=SynthesisParams)
    dataset: DatasetParams = field(default_factory=DatasetParams)
    editworld: Mapping[str, Any] = field(default_factory=dict)
    """Fields of ``training.TrainingConfig`` other than its paths."""
    editworld_report: ReportParams = field(default_factory=ReportParams)


def load_params(path: Path | None) -> Params:
    """Read ``params.yaml``; without a file, the defaults.

    Raises:
        BadInputError: the file is missing or malformed, or has an unknown key or a wrong value.
    """
    import yaml

    if path is None:
        return Params()
    try:
        values = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadInputError(f"{path}: cannot be read as parameters: {' '.join(str(error).split())}") from error
    try:
        return _build(Params, values or {}, "")
    except (TypeError, ValueError) as error:
        raise BadInputError(f"{path}: {error}") from error


def captions(params: Params, root: Path, progress: Any = None) -> StageResult:
    """Stage 1: a LAION-schema table of tinyworld's captions, cleaned into shards."""
    from editfoundry.tinyworld.captions import write_laion_table

    paths = Paths(root)
    # Rewriting the table is cheap and gives the same bytes.
    write_laion_table(paths.tinyworld_table, params.captions.num_rows, params.captions.seed)
    return clean_captions(params, paths.tinyworld_table, paths.captions)


def clean_captions(params: Params, table: Path, output: Path, limit: int | None = None) -> StageResult:
    """Clean any LAION-schema table into caption shards."""
    from editfoundry.sources.laion import convert_laion

    return convert_laion(table, output, params.captions.filters, params.captions.rows_per_shard, limit)


def quadruples(params: Params, root: Path, progress: Any = None) -> StageResult:
    """Stage 2: a quadruple for each caption to which a rule applies."""
    return write_caption_quadruples(params, Paths(root).captions, Paths(root).quadruples)


def write_caption_quadruples(params: Params, source: Path, output: Path) -> StageResult:
    """Write quadruples from caption shards, or import a JSON or JSONL file of quadruples."""
    from editfoundry.synthesis.quadruples import import_quadruples, write_quadruples
    from editfoundry.tinyworld.quadruples import TinyworldWriter

    if not source.exists():
        raise BadInputError(f"{source}: no such file or folder")
    if source.is_file():
        return import_quadruples(source, output)
    writer = TinyworldWriter(params.quadruples.seed)
    return write_quadruples(source, output, writer, ["tinyworld", dataclasses.asdict(params.quadruples)])


def editworld_text(params: Params, root: Path, progress: Any = None) -> StageResult:
    """Stage 3: triplets of EditWorld's text-to-image branch."""
    return synthesize_editworld_text(params, Paths(root).quadruples, Paths(root).editworld_text, progress)


def synthesize_editworld_text(params: Params, source: Path, output: Path, progress: Any = None) -> StageResult:
    """Make a triplet shard of each quadruple shard; models are loaded when the first shard is not there yet."""
    from editfoundry.data.hashing import input_hash
    from editfoundry.data.shards import is_done, reused_result, write_triplets
    from editfoundry.data.tables import read_rows, table_paths
    from editfoundry.synthesis.text_branch import TextBranch, TextBranchConfig, make_triplets

    shards = table_paths(source)
    config = TextBranchConfig(**dataclasses.asdict(params.editworld_text))
    profile = load_profile(params.profile)
    identity = [model_identity(profile, role) for role in ("text_to_image", "clip")]
    claim_output(output, "editworld-text")
    _remove_stale(output, {path.stem for path in shards})
    branch: TextBranch | None = None
    results = []
    for number, shard in enumerate(shards):
        target = output / f"{shard.stem}.tar"
        digest = input_hash(shard, config, identity)
        if is_done(target, digest):
            results.append(reused_result(target))
        else:
            branch = branch or _load_text_branch(profile, _runtime(params))
            rejected: list[Any] = []
            made = make_triplets(branch, list(read_rows(shard, Quadruple)), config, rejected)
            results.append(write_triplets(target, made, rejected, digest))
        if progress is not None:
            progress(number + 1, len(shards))
    return add_up(results)


def dataset(params: Params, root: Path, progress: Any = None) -> StageResult:
    """Stage 4: filtered, deduplicated, split."""
    return curate_triplets(params, Paths(root).editworld_text, Paths(root).dataset)


def curate_triplets(params: Params, source: Path, output: Path) -> StageResult:
    """Curate a folder of triplet shards into a data set."""
    from editfoundry.curation.curate import CurationConfig, curate

    values = {f.name: getattr(params.dataset, f.name) for f in dataclasses.fields(params.dataset)}
    return curate(source, output, CurationConfig(**values))


def editworld(params: Params, root: Path, progress: Any = None, num_processes: int | None = None) -> Path:
    """Stage 5: the editor, fine-tuned with Accelerate from the profile's ``editor_base``."""
    import yaml

    from editfoundry.training.launch import launch_training

    paths = Paths(root)
    config = paths.root / ".cache" / "editworld.yaml"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(yaml.safe_dump(training_values(params, root)))
    launch_training(config, num_processes)
    return paths.editworld


def training_values(params: Params, root: Path) -> dict[str, Any]:
    """Return the training configuration of the lineage's editor as plain values."""
    from editfoundry.tracking.mlflow_client import default_tracking_uri

    paths = Paths(root)
    return {
        "editor": load_profile(params.profile).model("editor_base").location,
        "dataset": str(paths.dataset / "train"),
        "output": str(paths.editworld),
        "work_dir": str(paths.root / ".cache" / "training"),
        "mlflow_tracking_uri": default_tracking_uri(paths.root),
        **params.editworld,
    }


def editworld_report(params: Params, root: Path, progress: Any = None) -> Path:
    """Stage 6: base against fine-tuned on tinyworld's benchmarks, as a report."""
    from editfoundry.evaluation.lineage_report import evaluate_checkpoint, log_to_mlflow

    paths = Paths(root)
    folder = paths.editworld_report
    if evaluate_checkpoint(params, paths.editworld, folder, dataset=paths.dataset, progress=progress):
        log_to_mlflow(folder, params, root)
    return folder


STAGES: dict[str, Callable[..., StageResult | Path]] = {
    "captions": captions, "quadruples": quadruples, "editworld_text": editworld_text, "dataset": dataset,
    "editworld": editworld, "editworld_report": editworld_report,
}  # fmt: skip


def model_identity(profile: Profile, role: str) -> list[str]:
    """Return what tells one model from another: its name and, for a local folder, its weights' hash."""
    from editfoundry.data.hashing import file_hash

    reference = profile.model(role)
    weights = sorted(Path(reference.location).glob("**/*.safetensors")) if Path(reference.location).is_dir() else []
    return [str(reference), *(file_hash(path) for path in weights)]


def _load_text_branch(profile: Profile, runtime: Runtime) -> Any:
    from editfoundry.pretrained.clip import load_clip
    from editfoundry.pretrained.text_to_image import load_text_to_image
    from editfoundry.synthesis.text_branch import TextBranch

    return TextBranch(
        load_text_to_image(profile, runtime),
        load_clip(profile, runtime),
        {role: str(profile.model(role)) for role in ("text_to_image", "clip")},
    )


def _runtime(params: Params) -> Runtime:
    from editfoundry.pretrained.runtime import choose_runtime

    return choose_runtime(params.device)


def _remove_stale(folder: Path, stems: set[str]) -> None:
    for path in folder.iterdir():
        if path.suffix in (".tar", ".parquet") and path.name.split(".")[0] not in stems:
            path.unlink()


def _build(cls: Any, values: object, where: str) -> Any:
    if not isinstance(values, Mapping):
        raise BadInputError(f"{where or 'the file'} is not a mapping of names to values")
    known = {f.name: f for f in dataclasses.fields(cls)}
    unknown = [name for name in values if name not in known]
    if unknown:
        raise BadInputError(f"unknown parameter {where}{unknown[0]}; there are {', '.join(known)}")
    hints = get_type_hints(cls)
    built = {}
    for name, value in values.items():
        factory = known[name].default_factory
        nested = dataclasses.is_dataclass(factory)
        built[name] = _build(factory, value, f"{where}{name}.") if nested else _typed(value, hints[name], where + name)
    return cls(**built)


def _typed(value: object, hint: Any, name: str) -> object:
    """Return ``value`` as ``hint`` wants it: an int is a float too, and a list of YAML a tuple."""
    kinds = get_args(hint) if get_origin(hint) is UnionType else (hint,)
    if float in kinds and type(value) is int:
        return float(value)
    for kind in kinds:
        origin = get_origin(kind) or kind
        if origin is tuple and isinstance(value, list):
            return tuple(value)
        if type(value) is origin or (origin is Mapping and isinstance(value, Mapping)):
            return value
    wanted = " or ".join("nothing" if kind is type(None) else kind.__name__ for kind in kinds)
    raise BadInputError(f"parameter {name} is {value!r}, which is no {wanted}")
