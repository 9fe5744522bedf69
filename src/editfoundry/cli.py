"""The command ``editfoundry``: one command a stage, plus ``edit``, ``demo`` and ``ui``."""

from __future__ import annotations

import dataclasses
import json
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from editfoundry.data.stage import StageResult
from editfoundry.editors.post_edit.config import PostEditConfig
from editfoundry.errors import BadInputError, UnavailableError
from editfoundry.params import Params, load_params

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode="rich", help=__doc__)
sources_app = typer.Typer(no_args_is_help=True, help="Bring raw captions in.")
synthesize_app = typer.Typer(no_args_is_help=True, help="Make edit triplets.")
tinyworld_app = typer.Typer(no_args_is_help=True, help="The embedded world: pictures, tables, models.")
app.add_typer(sources_app, name="sources")
app.add_typer(synthesize_app, name="synthesize")
app.add_typer(tinyworld_app, name="tinyworld")

ProfileOption = Annotated[str | None, typer.Option("--profile", help="embedded, paper, modern, or a TOML file.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")]
ParamsOption = Annotated[
    Path | None, typer.Option("--params", help="Parameters; by default params.yaml of the current folder, if there.")
]
DeviceOption = Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:N.")]


class Exchange(StrEnum):
    """Other projects' formats."""

    EDITWORLD = "editworld"
    INSTRUCT_PIX2PIX = "instruct-pix2pix"
    HUGGINGFACE = "huggingface"


class VideoParts(StrEnum):
    """What of a video is a clip."""

    WHOLE = "whole"
    SHOTS = "shots"


class WorldSplit(StrEnum):
    """Splits of tinyworld's scenes."""

    TRAIN = "train"
    TEST = "test"


class Writer(StrEnum):
    """Who can write quadruples."""

    TINYWORLD = "tinyworld"
    LANGUAGE_MODEL = "language_model"


class PretrainModel(StrEnum):
    """Embedded models that can be trained here."""

    VAE = "vae"
    CLIP = "clip"
    DIFFUSION = "diffusion"
    CONTROLNET_CANNY = "controlnet_canny"
    IP_ADAPTER = "ip_adapter"
    LANGUAGE_MODEL = "language_model"
    VISION_LANGUAGE_MODEL = "vision_language_model"
    SEGMENTER = "segmenter"
    EDITWORLD = "editworld"


class MeasuredRole(StrEnum):
    """Roles whose embedded model can be measured."""

    TEXT_TO_IMAGE = "text_to_image"
    CLIP = "clip"
    EDITOR_BASE = "editor_base"
    CONTROLNET_CANNY = "controlnet_canny"
    IP_ADAPTER = "ip_adapter"
    LANGUAGE_MODEL = "language_model"
    VISION_LANGUAGE_MODEL = "vision_language_model"
    SEGMENTER = "segmenter"
    EDITWORLD = "editworld"


def main() -> None:
    """Run the command line: exit 0 done, 2 wrong usage or bad input, 1 anything else."""
    try:
        app()
    except BadInputError as error:
        print(f"error: {_one_line(error)}", file=sys.stderr)
        sys.exit(2)
    except Exception as error:
        from editfoundry.training.failures import TrainingError

        if not isinstance(error, TrainingError | UnavailableError):
            traceback.print_exc()
        print(f"error: {_one_line(error)}", file=sys.stderr)
        sys.exit(1)


@sources_app.command("laion")
def sources_laion(
    table: Annotated[Path, typer.Argument(help="LAION-schema Parquet, CSV, TSV or JSONL file, or folder of Parquet.")],
    output: Annotated[Path, typer.Argument(help="Folder of caption shards.")],
    limit: Annotated[int | None, typer.Option(help="Read at most this many rows.")] = None,
    profile: ProfileOption = None,
    params: ParamsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Clean a LAION-schema table. Example: editfoundry sources laion part-0.parquet data/captions."""
    from editfoundry.lineage import clean_captions

    _show(clean_captions(_params(params, profile), table, output, limit), output, as_json)


@sources_app.command("internvid")
def sources_internvid(
    table: Annotated[Path, typer.Argument(help="InternVid-schema JSONL, CSV, TSV or Parquet, or folder of Parquet.")],
    output: Annotated[Path, typer.Argument(help="Folder of clip shards.")],
    videos: Annotated[Path, typer.Option(help="Folder of the videos, each named by its id.")],
    download: Annotated[bool, typer.Option(help="Fetch what is not there with yt-dlp (extra: youtube).")] = False,
    limit: Annotated[int | None, typer.Option(help="Read at most this many rows.")] = None,
    profile: ProfileOption = None,
    params: ParamsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find a table's clips. Example: editfoundry sources internvid clips.jsonl data/clips --videos videos."""
    from editfoundry.lineage import clean_clips

    _show(clean_clips(_params(params, profile), table, videos, output, limit, download), output, as_json)


@sources_app.command("videos")
def sources_videos(
    videos: Annotated[Path, typer.Argument(help="Folder of videos.")],
    output: Annotated[Path, typer.Argument(help="Folder of clip shards.")],
    parts: Annotated[VideoParts, typer.Option(help="Each file whole, or the shots found in it.")] = VideoParts.WHOLE,
    as_json: JsonOption = False,
) -> None:
    """Take videos without a table. Example: editfoundry sources videos holiday data/clips --parts shots."""
    from editfoundry.sources.video_folder import convert_video_folder

    _show(convert_video_folder(videos, output, parts.value), output, as_json)


@app.command()
def quadruples(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="[INPUT] OUTPUT",
            help="Caption shards, or a JSON or JSONL of quadruples; then the folder of quadruple shards.",
        ),
    ],
    free: Annotated[
        int | None, typer.Option(metavar="N", help="Let the language model write N from its exemplars; no INPUT.")
    ] = None,
    writer: Annotated[
        Writer | None, typer.Option(help="Who writes; by default what the parameters say, and with --free the model.")
    ] = None,
    profile: ProfileOption = None,
    params: ParamsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write quadruples. Example: editfoundry quadruples data/captions data/quadruples."""
    from editfoundry import lineage

    if len(paths) != (2 if free is None else 1):
        raise BadInputError("give INPUT and OUTPUT, or --free N and OUTPUT alone")
    chosen, output = _params(params, profile), paths[-1]
    if writer is not None:
        chosen = dataclasses.replace(chosen, quadruples=dataclasses.replace(chosen.quadruples, writer=writer.value))
    with _progress("shards") as progress:
        if free is not None:
            result = lineage.write_free_quadruples(chosen, free, output, progress)
        else:
            result = lineage.write_caption_quadruples(chosen, paths[0], output, progress)
    _show(result, output, as_json)


@synthesize_app.command("editworld-text")
def synthesize_editworld_text(
    source: Annotated[
        Path,
        typer.Argument(metavar="INPUT", help="Shards of quadruples or captions, or a JSON or JSONL of quadruples."),
    ],
    output: Annotated[Path, typer.Argument(help="Folder of triplet shards.")],
    profile: ProfileOption = None,
    params: ParamsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Paint, mask, inpaint, refine, judge. Example: editfoundry synthesize editworld-text data/quadruples data/triplets/editworld-text."""  # noqa: E501
    from editfoundry import lineage

    with _progress("shards") as progress:
        result = lineage.synthesize_editworld_text(_params(params, profile), source, output, progress)
    _show(result, output, as_json)


@synthesize_app.command("frame-pairs")
def synthesize_frame_pairs(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="Folder of clip shards.")],
    output: Annotated[Path, typer.Argument(help="Folder of the pairs' shards.")],
    profile: ProfileOption = None,
    params: ParamsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find before and after in clips. Example: editfoundry synthesize frame-pairs data/clips data/frame_pairs."""
    from editfoundry import lineage

    with _progress("shards") as progress:
        result = lineage.mine_frame_pairs(_params(params, profile), source, output, progress)
    _show(result, output, as_json)


@synthesize_app.command("editworld-video")
def synthesize_editworld_video(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="Folder of frame pairs' shards.")],
    output: Annotated[Path, typer.Argument(help="Folder of triplet shards.")],
    profile: ProfileOption = None,
    params: ParamsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Describe clips, write instructions. Example: editfoundry synthesize editworld-video data/frame_pairs data/triplets/editworld-video."""  # noqa: E501
    from editfoundry import lineage

    with _progress("shards") as progress:
        result = lineage.synthesize_editworld_video(_params(params, profile), source, output, progress)
    _show(result, output, as_json)


@app.command()
def score(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="Folder of triplet shards, imported or made here.")],
    output: Annotated[Path, typer.Argument(help="Folder of the scored shards.")],
    judge: Annotated[bool, typer.Option(help="Ask the profile's vision-language model too.")] = True,
    profile: ProfileOption = None,
    params: ParamsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add the CLIP and judge scores that triplets lack. Example: editfoundry score data/imported data/scored."""
    from editfoundry import lineage

    chosen = _params(params, profile)
    if not judge:
        chosen = dataclasses.replace(chosen, score=dataclasses.replace(chosen.score, judge=None))
    with _progress("shards") as progress:
        result = lineage.score_triplets(chosen, source, output, progress)
    _show(result, output, as_json)


@app.command()
def curate(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="Folder of triplet shards.")],
    output: Annotated[Path, typer.Argument(help="Folder of the data set.")],
    profile: ProfileOption = None,
    params: ParamsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Filter, deduplicate, split. Example: editfoundry curate data/triplets/editworld-text data/dataset."""
    from editfoundry.lineage import curate_triplets

    _show(curate_triplets(_params(params, profile), source, output), output, as_json)


@app.command("curation-sheet")
def curation_sheet(
    dataset: Annotated[Path, typer.Argument(help="Data set made by editfoundry curate.")],
    out: Annotated[Path, typer.Option(help="HTML file, everything inlined, or PNG.")],
    triplets: Annotated[
        Path | None,
        typer.Option(help="Shards that the data set was made of, for the dropped pictures; default the lineage's."),
    ] = None,
    num_each: Annotated[int, typer.Option(min=1, help="Kept and dropped triplets at most, each.")] = 24,
    as_json: JsonOption = False,
) -> None:
    """Show kept and dropped triplets with their scores and reasons. Example: editfoundry curation-sheet data/dataset --out sheet.html."""  # noqa: E501
    from editfoundry.curation.judged_grid import write_sheet
    from editfoundry.curation.shown_triplets import choose_shown
    from editfoundry.lineage import Paths

    made_of = Paths(Path.cwd()).editworld_text
    if triplets is None and dataset.resolve() == Paths(Path.cwd()).dataset and made_of.is_dir():
        triplets = made_of
    sheet = choose_shown(dataset, triplets, num_each)
    write_sheet(out, sheet, f"What curation kept and dropped: {dataset.name}")
    _print({"sheet": str(out), "kept": sheet.num_kept, "dropped": sheet.num_dropped}, as_json)


@app.command()
def train(
    config: Annotated[Path, typer.Argument(help="Training configuration, or params.yaml with a section editworld.")],
    profile: ProfileOption = None,
    num_processes: Annotated[int | None, typer.Option(help="Processes; by default one for each GPU.")] = None,
    accelerate_config: Annotated[
        Path | None, typer.Option(help="Configuration of accelerate launch, as in infra/accelerate.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Fine-tune an editor with Accelerate; resumes what was interrupted. Example: editfoundry train params.yaml."""
    from editfoundry.lineage import editworld
    from editfoundry.training.config import TrainingConfig
    from editfoundry.training.launch import launch_training

    if _holds_lineage(config):
        output = editworld(
            _params(config, profile), config.resolve().parent, num_processes=num_processes,
            accelerate_config=accelerate_config,
        )  # fmt: skip
    elif profile is not None:
        raise BadInputError(f"--profile needs a params.yaml; {config} names its editor itself")
    else:
        output = TrainingConfig.from_file(config).output
        launch_training(config, num_processes, accelerate_config)
    training = json.loads((output / "training.json").read_text())
    facts = {k: training[k] for k in ("num_steps", "final_loss", "seconds", "samples_per_second") if k in training}
    _print({"checkpoint": str(output), **facts}, as_json)


@app.command()
def evaluate(
    editor: Annotated[Path, typer.Option(help="Diffusers folder of the editor.")],
    out: Annotated[Path, typer.Option(help="Folder of the report.")],
    benchmark: Annotated[
        str, typer.Option(help="tinyworld (all), tinyworld-world, tinyworld-new-rules, tinyworld-plain.")
    ] = "tinyworld",
    dataset: Annotated[Path | None, typer.Option(help="Data set it was trained on, for the counts.")] = None,
    post_edit: Annotated[bool, typer.Option("--post-edit", help="Beside it, the editor with its post-edit.")] = False,
    profile: ProfileOption = None,
    params: ParamsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare an editor with its base. Example: editfoundry evaluate --editor checkpoints/editworld --out reports/editworld."""  # noqa: E501
    from editfoundry.evaluation.lineage_report import BENCHMARKS, evaluate_checkpoint

    if benchmark not in ("tinyworld", *BENCHMARKS):
        raise BadInputError(f"no benchmark {benchmark!r}: use tinyworld, {', '.join(BENCHMARKS)}")
    chosen = tuple(BENCHMARKS) if benchmark == "tinyworld" else (benchmark,)
    if dataset is None and Path("data/dataset").is_dir():
        dataset = Path("data/dataset")
    settings = _params(params, profile)
    if post_edit and settings.editworld_report.post_edit is None:
        report = dataclasses.replace(settings.editworld_report, post_edit=PostEditConfig())
        settings = dataclasses.replace(settings, editworld_report=report)
    with _progress("edits") as progress:
        evaluate_checkpoint(settings, editor, out, dataset, chosen, progress)
    _show_summary(out, as_json)


@app.command()
def edit(
    image: Annotated[Path, typer.Argument(help="Any photograph: JPEG, PNG, WebP, GIF, TIFF, BMP.")],
    instruction: Annotated[str, typer.Argument(help="What to do, in words.")],
    out: Annotated[Path, typer.Option(help="Where the edited picture goes.")],
    editor: Annotated[
        str | None,
        typer.Option(
            help="Diffusers folder of any pipeline that takes an image and a prompt, or a registered model NAME@ALIAS; "
            "by default checkpoints/editworld or the profile's base."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the noise.")] = 0,
    num_inference_steps: Annotated[
        int | None, typer.Option(min=1, max=1000, help="Sampler steps; InstructPix2Pix: 100.")
    ] = None,
    guidance_scale: Annotated[
        float | None, typer.Option(help="Weight of the instruction; InstructPix2Pix: 7.5.")
    ] = None,
    image_guidance_scale: Annotated[
        float | None, typer.Option(help="Weight of the input picture; InstructPix2Pix: 1.5.")
    ] = None,
    guidance_rescale: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Share of guidance brought back to the plain spread; 0.7 is usual."),
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="Sampler, by diffusers' name: ddim, euler-ancestral, unipc-multistep.")
    ] = None,
    post_edit: Annotated[bool, typer.Option("--post-edit", help="Change only what the instruction is about.")] = False,
    explain: Annotated[
        Path | None,
        typer.Option(help="Folder that gets every step of the post-edit as a picture; implies --post-edit."),
    ] = None,
    profile: ProfileOption = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Edit a picture. Example: editfoundry edit photo.jpg "It starts to rain." --out rain.png."""
    from editfoundry.editors.edit_file import edit_file
    from editfoundry.lineage import Paths

    lineage_editor = Paths(Path.cwd()).editworld
    if editor is None and (lineage_editor / "model_index.json").is_file() and profile is None:
        editor = str(lineage_editor)
    used = edit_file(
        image, instruction, out, editor=editor, profile=profile or "embedded", device=device, seed=seed,
        post_edit=post_edit, explain=explain, num_inference_steps=num_inference_steps, guidance_scale=guidance_scale,
        image_guidance_scale=image_guidance_scale, guidance_rescale=guidance_rescale, scheduler=scheduler,
    )  # fmt: skip
    shown = {} if explain is None else {"steps": str(explain / "sheet.png")}
    _print({"out": str(out), "editor": used, **shown}, as_json)


@app.command()
def sweep(
    image: Annotated[Path, typer.Argument(help="Any photograph.")],
    instruction: Annotated[str, typer.Argument(help="What to do, in words.")],
    out: Annotated[Path, typer.Option(help="Where the sheet of edits goes.")],
    editor: Annotated[str | None, typer.Option(help="InstructPix2Pix editor, as of editfoundry edit.")] = None,
    guidance_scales: Annotated[str, typer.Option(help="s_T of each row.")] = "7.5",
    image_guidance_scales: Annotated[
        str, typer.Option(help="s_I of each column; the paper's by default.")
    ] = "1,1.2,1.4,1.6,1.8,2,2.2",
    num_inference_steps: Annotated[int, typer.Option(min=1, max=1000, help="Sampler steps.")] = 100,
    seed: Annotated[int, typer.Option(help="Seed of the noise.")] = 0,
    profile: ProfileOption = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Edit at each pair of guidance scales. Example: editfoundry sweep photo.jpg "It snows." --out sheet.png."""
    from editfoundry.editors.edit_file import sweep_file

    used = sweep_file(
        image, instruction, out, editor=editor, profile=profile or "embedded", device=device, seed=seed,
        guidance_scales=_numbers("guidance-scales", guidance_scales),
        image_guidance_scales=_numbers("image-guidance-scales", image_guidance_scales),
        num_inference_steps=num_inference_steps,
    )  # fmt: skip
    _print({"out": str(out), "editor": used}, as_json)


@app.command()
def export(
    exchange: Annotated[Exchange, typer.Argument(metavar="FORMAT", help="editworld, instruct-pix2pix, huggingface.")],
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="Triplet shards.")],
    output: Annotated[Path, typer.Argument(help="Folder of the export.")],
    as_json: JsonOption = False,
) -> None:
    """Write triplets in another project's format. Example: editfoundry export huggingface data/dataset/train out."""
    from editfoundry.data import exchange as formats

    _show(formats.exporter(exchange.value)(source, output), output, as_json)


@app.command("import")
def import_(
    exchange: Annotated[Exchange, typer.Argument(metavar="FORMAT", help="editworld, instruct-pix2pix, huggingface.")],
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="Folder in that format.")],
    output: Annotated[Path, typer.Argument(help="Folder of triplet shards.")],
    as_json: JsonOption = False,
) -> None:
    """Read another project's triplets into shards. Example: editfoundry import editworld EditWorld/datasets out."""
    from editfoundry.data import exchange as formats

    _show(formats.importer(exchange.value)(source, output), output, as_json)


@app.command()
def demo(
    root: Annotated[Path, typer.Option(help="Project folder that gets data, checkpoints and reports.")] = Path("."),
    profile: ProfileOption = None,
    params: ParamsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run the whole lineage and print its table. Example: editfoundry demo."""
    from editfoundry.demo import run_demo

    report = run_demo(_params(params, profile), root.resolve(), Console(stderr=True))
    _show_summary(report, as_json)


@app.command()
def ui(root: Annotated[Path, typer.Option(help="Project folder.")] = Path(".")) -> None:
    """Bring up Dagster, MLflow and S3 on localhost until Ctrl-C. Example: editfoundry ui."""
    from editfoundry.tracking.ui import run_ui

    raise typer.Exit(run_ui(root.resolve()))


@tinyworld_app.command("gallery")
def tinyworld_gallery(out: Annotated[Path, typer.Option(help="PNG file of the contact sheet.")]) -> None:
    """Draw every object, state and rule. Example: editfoundry tinyworld gallery --out gallery.png."""
    from editfoundry.tinyworld.gallery import draw_gallery

    draw_gallery(out)
    _print({"gallery": str(out)}, False)


@tinyworld_app.command("captions")
def tinyworld_captions(
    out: Annotated[Path, typer.Option(help="Parquet file in LAION's schema.")],
    num_rows: Annotated[int | None, typer.Option(min=1, help="Rows; by default what the parameters say.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed; by default what the parameters say.")] = None,
    params: ParamsOption = None,
) -> None:
    """Write a LAION-schema table of captions. Example: editfoundry tinyworld captions --out captions.parquet."""
    from editfoundry.tinyworld.captions import write_laion_table

    defaults = _params(params, None).captions
    rows = defaults.num_rows if num_rows is None else num_rows
    write_laion_table(out, rows, defaults.seed if seed is None else seed)
    _print({"table": str(out), "rows": rows}, False)


@tinyworld_app.command("clips")
def tinyworld_clips(
    out: Annotated[Path, typer.Argument(help="Folder of clips.parquet, videos/ and truth.jsonl.")],
    num: Annotated[int | None, typer.Option(min=1, help="Clips; by default what the parameters say.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed; by default what the parameters say.")] = None,
    split: Annotated[WorldSplit, typer.Option(help="Scenes of training, or held-out ones.")] = WorldSplit.TRAIN,
    params: ParamsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write H.264 clips with an InternVid-schema table. Example: editfoundry tinyworld clips world --num 48."""
    from editfoundry.tinyworld.clips.writing import write_clips

    chosen = _params(params, None).clips
    count, chosen_seed = num or chosen.num_clips, chosen.seed if seed is None else seed
    chosen_split: Literal["train", "test"] = "test" if split is WorldSplit.TEST else "train"
    with _progress("videos") as progress:
        written = write_clips(out, count, chosen_seed, chosen_split, chosen.frame_size, progress)
    _print({"table": str(written.table), "clips": written.num_clips, "videos": written.num_videos}, as_json)


@tinyworld_app.command("measure-frame-pairs")
def tinyworld_measure_frame_pairs(
    work_dir: Annotated[Path, typer.Argument(help="Folder that gets the clips and their pairs.")],
    num: Annotated[int, typer.Option(min=1, help="Held-out clips.")] = 200,
    seed: Annotated[int, typer.Option(help="Seed of the clips.")] = 1,
    profile: ProfileOption = None,
    params: ParamsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare mined pairs with the truth. Example: editfoundry tinyworld measure-frame-pairs work --num 200."""
    from editfoundry.profiles import load_profile
    from editfoundry.tinyworld.clips.measure import measure_frame_pairs

    chosen = _params(params, profile)
    with _progress("videos") as progress:
        facts = measure_frame_pairs(
            work_dir, num, seed, chosen.frame_pairs, load_profile(chosen.profile), chosen.device, progress
        )
    _print(facts, as_json)


@tinyworld_app.command("pretrain")
def tinyworld_pretrain(
    model: Annotated[PretrainModel, typer.Argument(help="vae first; diffusion gives text_to_image and editor_base.")],
    work_dir: Annotated[Path, typer.Option(help="Cache, checkpoints and MLflow log.")] = Path(".pretrain"),
    num_steps: Annotated[
        int | None, typer.Option(min=1, help="Optimizer steps; by default those of the shipped model.")
    ] = None,
    continue_shipped: Annotated[bool, typer.Option(help="Train the shipped diffusion models on.")] = False,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Train an embedded model; resumes where it stopped. Example: editfoundry tinyworld pretrain clip."""
    from editfoundry.tinyworld.pretrain.run import pretrain

    _print(pretrain(model.value, work_dir, num_steps, device, continue_shipped), as_json)


@tinyworld_app.command("measure")
def tinyworld_measure(
    role: Annotated[MeasuredRole, typer.Argument(help="The model's role.")],
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Measure an embedded model on held-out scenes, into its card. Example: editfoundry tinyworld measure clip."""
    from editfoundry.tinyworld.pretrain.run import measure

    _print(measure(role.value, device), as_json)


@tinyworld_app.command("truth")
def tinyworld_truth(
    triplets: Annotated[Path, typer.Argument(help="Folder of triplet shards made from tinyworld's captions.")],
    dataset: Annotated[Path | None, typer.Option(help="Data set made of them: scores kept and dropped apart.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Count triplets that show the true outcome. Example: editfoundry tinyworld truth data/triplets/editworld-text."""
    from editfoundry.curation.curate import kept_ids
    from editfoundry.tinyworld.truth import triplet_truth

    _print(triplet_truth(triplets, None if dataset is None else kept_ids(dataset)).to_dict(), as_json)


@tinyworld_app.command("ablation")
def tinyworld_ablation(
    quadruples: Annotated[Path, typer.Argument(help="Folder of quadruple shards made from tinyworld's captions.")],
    out: Annotated[Path, typer.Argument(help="Folder that gets the table and the triplets of each arm.")],
    num: Annotated[int, typer.Option(min=1, help="Quadruples: the first whose true outcome is known.")] = 200,
    profile: ProfileOption = None,
    params: ParamsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare the text branch with itself without its parts. Example: editfoundry tinyworld ablation data/quadruples ablation."""  # noqa: E501
    from editfoundry.tinyworld.ablation import run_ablation
    from editfoundry.tinyworld.ablation.table import terminal_table

    with _progress("shards") as progress:
        summary = run_ablation(_params(params, profile), quadruples, out, num, progress)
    if as_json:
        print(json.dumps(summary))
        return
    Console().print(terminal_table(summary))
    _print({"table": str(out / "ablation.md"), "left_out": summary["left_out"]}, False)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _numbers(option: str, text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise BadInputError(f"--{option} is {text!r}, but must be numbers with commas between them") from None


def _params(path: Path | None, profile: str | None) -> Params:
    default = Path("params.yaml")
    params = load_params(path or (default if default.is_file() else None))
    return params if profile is None else dataclasses.replace(params, profile=profile)


def _holds_lineage(config: Path) -> bool:
    import yaml

    try:
        values = yaml.safe_load(config.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadInputError(f"{config}: cannot be read as YAML: {_one_line(error)}") from error
    return isinstance(values, dict) and "editworld" in values


@contextmanager
def _progress(what: str) -> Iterator[Any]:
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _show(result: StageResult, output: Path, as_json: bool) -> None:
    facts = {
        "output": str(output), "num_in": result.num_in, "num_out": result.num_out, "rejected": result.rejected,
        "num_shards": result.num_shards, "num_shards_reused": result.num_shards_reused, **result.totals,
    }  # fmt: skip
    _print(facts, as_json)


def _show_summary(folder: Path, as_json: bool) -> None:
    from editfoundry.evaluation.tables import summary_table

    summary = json.loads((folder / "summary.json").read_text())
    if as_json:
        print(json.dumps({"report": str(folder / "report.html"), "summary": summary}))
        return
    console = Console()
    console.print(summary_table(summary))
    console.print(f"report: {folder / 'report.html'}", soft_wrap=True)


def _print(facts: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(facts))
        return
    for name, value in facts.items():
        text = ", ".join(f"{k} {v}" for k, v in value.items()) or "none" if isinstance(value, dict) else value
        print(f"{name.replace('_', ' ')}: {text}")
