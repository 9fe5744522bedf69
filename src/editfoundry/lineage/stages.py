"""The lineage: where each stage's output lies, its parameters, and one function a stage.

The command line, ``dvc.yaml``, Dagster and the demo all call these functions, so all of them make the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from editfoundry.data.stage import StageResult, add_up
from editfoundry.errors import BadInputError
from editfoundry.lineage.params import Params, load_params
from editfoundry.profiles import load_profile

__all__ = ["STAGES", "Params", "Paths", "load_params"]

Progress = Callable[[int, int], None]
"""Called with how much is done and how much there is in all."""


@dataclass(frozen=True)
class Paths:
    """Where each stage's output lies under a project's folder."""

    root: Path

    @property
    def tinyworld_table(self) -> Path:
        """The LAION-schema table of tinyworld's captions."""
        return self.root / "data" / "tinyworld" / "captions.parquet"

    @property
    def incoming(self) -> Path:
        """LAION-schema tables that arrived, each a source shard."""
        return self.root / "data" / "incoming"

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
    def tinyworld_clips(self) -> Path:
        """Tinyworld's videos and their table in InternVid's schema."""
        return self.root / "data" / "tinyworld" / "clips"

    @property
    def clips(self) -> Path:
        """Shards of clips: files and ranges of seconds."""
        return self.root / "data" / "clips"

    @property
    def frame_pairs(self) -> Path:
        """Shards of image pairs that have no instruction yet."""
        return self.root / "data" / "frame_pairs"

    @property
    def editworld_video(self) -> Path:
        """Triplet shards of the video branch."""
        return self.root / "data" / "triplets" / "editworld-video"

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


def captions(params: Params, root: Path, progress: Progress | None = None) -> StageResult:
    """A LAION-schema table of tinyworld's captions, and those that arrived, cleaned into shards."""
    from editfoundry.tinyworld.captions import write_laion_table

    paths = Paths(root)
    # Rewriting the table is cheap and gives the same bytes.
    write_laion_table(paths.tinyworld_table, params.captions.num_rows, params.captions.seed)
    numbered = clean_captions(params, paths.tinyworld_table, paths.captions)
    return add_up([numbered, take_in_captions(params, paths.incoming, paths.captions)])


def take_in_captions(params: Params, incoming: Path, output: Path, only: str | None = None) -> StageResult:
    """Clean the tables that arrived, each into a caption shard of its name, beside the numbered ones."""
    from editfoundry.sources.incoming import take_in

    return take_in(incoming, output, params.captions.filters, only)


def clean_captions(params: Params, table: Path, output: Path, limit: int | None = None) -> StageResult:
    """Clean any LAION-schema table into caption shards."""
    from editfoundry.sources.laion import convert_laion

    return convert_laion(table, output, params.captions.filters, params.captions.rows_per_shard, limit)


def quadruples(params: Params, root: Path, progress: Progress | None = None, only: str | None = None) -> StageResult:
    """A quadruple for each caption to which a rule applies; of all shards, or of the one named ``only``."""
    return write_caption_quadruples(params, Paths(root).captions, Paths(root).quadruples, progress, only)


def write_caption_quadruples(
    params: Params, source: Path, output: Path, progress: Progress | None = None, only: str | None = None
) -> StageResult:
    """Write quadruples from caption shards, or import a JSON or JSONL file of quadruples."""
    from editfoundry.synthesis.quadruples import import_quadruples, write_quadruples
    from editfoundry.tinyworld.quadruples import TinyworldWriter

    if not source.exists():
        raise BadInputError(f"{source}: no such file or folder")
    if source.is_file():
        return import_quadruples(source, output)
    if params.quadruples.writer == "tinyworld":
        seed = params.quadruples.seed
        return write_quadruples(source, output, TinyworldWriter(seed), ["tinyworld", {"seed": seed}], only)
    from editfoundry.synthesis.quadruples.model_stage import write_model_quadruples

    return write_model_quadruples(
        source, output, params.quadruples, load_profile(params.profile), params.device, progress, only
    )


def write_free_quadruples(params: Params, count: int, output: Path, progress: Progress | None = None) -> StageResult:
    """Write ``count`` quadruples with the profile's language model, from the exemplars alone."""
    from editfoundry.synthesis.quadruples import model_stage

    profile = load_profile(params.profile)
    return model_stage.write_free_quadruples(count, output, params.quadruples, profile, params.device, progress)


def editworld_text(
    params: Params, root: Path, progress: Progress | None = None, only: str | None = None
) -> StageResult:
    """Triplets of EditWorld's text-to-image branch; of all shards, or of the one named ``only``."""
    return synthesize_editworld_text(params, Paths(root).quadruples, Paths(root).editworld_text, progress, only)


def synthesize_editworld_text(
    params: Params, source: Path, output: Path, progress: Progress | None = None, only: str | None = None
) -> StageResult:
    """Make a triplet shard of each quadruple shard; captions become quadruples first, in ``output/quadruples``."""
    from editfoundry.data.output_folder import claim_output
    from editfoundry.data.tables import column_names
    from editfoundry.synthesis.editworld_text.stage import RECIPE, synthesize

    is_written_out = source.suffix in (".json", ".jsonl")
    if is_written_out or "instruction" not in column_names(source):
        claim_output(output, RECIPE)
        write_caption_quadruples(params, source, output / "quadruples", progress)
        source = output / "quadruples"
    profile = load_profile(params.profile)
    return synthesize(source, output, params.editworld_text, profile, params.device, progress, only)


def clips(params: Params, root: Path, progress: Progress | None = None) -> StageResult:
    """Tinyworld's videos, their table cleaned into shards of clips."""
    from editfoundry.tinyworld.clips.writing import TABLE, VIDEOS, write_clips

    paths, chosen = Paths(root), params.clips
    write_clips(paths.tinyworld_clips, chosen.num_clips, chosen.seed, size=chosen.frame_size, progress=progress)
    return clean_clips(params, paths.tinyworld_clips / TABLE, paths.tinyworld_clips / VIDEOS, paths.clips)


def clean_clips(
    params: Params, table: Path, videos: Path, output: Path, limit: int | None = None, download: bool = False
) -> StageResult:
    """Clean any InternVid-schema table, and find its videos in a folder or, if asked to, on the net."""
    from editfoundry.sources.downloads import Downloader
    from editfoundry.sources.internvid import convert_internvid

    downloader = Downloader(folder=videos) if download else None
    chosen = params.clips
    return convert_internvid(table, videos, output, chosen.filters, chosen.rows_per_shard, limit, downloader)


def frame_pairs(params: Params, root: Path, progress: Progress | None = None) -> StageResult:
    """Before and after of what happens in each clip."""
    return mine_frame_pairs(params, Paths(root).clips, Paths(root).frame_pairs, progress)


def mine_frame_pairs(params: Params, source: Path, output: Path, progress: Progress | None = None) -> StageResult:
    """Make a shard of frame pairs of each shard of clips."""
    from editfoundry.synthesis.frame_pairs.stage import mine_frame_pairs

    return mine_frame_pairs(source, output, params.frame_pairs, load_profile(params.profile), params.device, progress)


def editworld_video(params: Params, root: Path, progress: Progress | None = None) -> StageResult:
    """Triplets of EditWorld's video branch."""
    return synthesize_editworld_video(params, Paths(root).frame_pairs, Paths(root).editworld_video, progress)


def synthesize_editworld_video(
    params: Params, source: Path, output: Path, progress: Progress | None = None
) -> StageResult:
    """Describe the clips of frame pairs, and turn the descriptions into instructions."""
    from editfoundry.synthesis.editworld_video.stage import synthesize_video

    profile = load_profile(params.profile)
    return synthesize_video(source, output, params.editworld_video, profile, params.device, progress)


def score_triplets(params: Params, source: Path, output: Path, progress: Progress | None = None) -> StageResult:
    """Give any triplet shards the CLIP and judge scores that they lack."""
    from editfoundry.curation.score import score

    return score(source, output, params.score, load_profile(params.profile), params.device, progress)


def dataset(params: Params, root: Path, progress: Progress | None = None) -> StageResult:
    """Triplets of both branches, filtered, deduplicated, split."""
    paths = Paths(root)
    return curate_triplets(params, [paths.editworld_text, paths.editworld_video], paths.dataset)


def curate_triplets(params: Params, source: Path | Sequence[Path], output: Path) -> StageResult:
    """Curate one or several folders of triplet shards into a data set."""
    from editfoundry.curation.curate import curate

    return curate(source, output, params.dataset)


def editworld(
    params: Params, root: Path, progress: Progress | None = None, num_processes: int | None = None,
    accelerate_config: Path | None = None,
) -> Path:  # fmt: skip
    """The editor, fine-tuned with Accelerate from the profile's ``editor_base``."""
    from editfoundry.training.launch import launch_training

    launch_training(write_training_config(params, root), num_processes, accelerate_config)
    return Paths(root).editworld


def write_training_config(params: Params, root: Path) -> Path:
    """Write the training configuration of the lineage's editor, and return the file."""
    import yaml

    config = root / ".cache" / "editworld.yaml"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(yaml.safe_dump(training_values(params, root)))
    return config


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


def editworld_report(params: Params, root: Path, progress: Progress | None = None) -> Path:
    """Base against fine-tuned on tinyworld's benchmarks, as a report."""
    from editfoundry.evaluation.lineage_report import evaluate_checkpoint, log_to_mlflow

    paths = Paths(root)
    folder = paths.editworld_report
    runs = root / ".cache" / "editworld_report"
    if evaluate_checkpoint(params, paths.editworld, folder, dataset=paths.dataset, progress=progress, runs=runs):
        log_to_mlflow(folder, params, root)
    return folder


STAGES: dict[str, Callable[..., StageResult | Path]] = {
    "captions": captions, "quadruples": quadruples, "editworld_text": editworld_text, "clips": clips,
    "frame_pairs": frame_pairs, "editworld_video": editworld_video, "dataset": dataset, "editworld": editworld,
    "editworld_report": editworld_report,
}  # fmt: skip
