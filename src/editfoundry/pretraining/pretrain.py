"""Trains the embedded models, ships them as fp16 safetensors with their cards, and measures them."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, DiffusionPipeline, StableDiffusionInstructPix2PixPipeline

from editfoundry.editors.editing_defaults import EditingDefaults, write_editing_defaults
from editfoundry.errors import BadInputError
from editfoundry.pretrained.clip import load_clip
from editfoundry.pretrained.ip_adapter import load_image_encoder
from editfoundry.pretrained.runtime import Runtime, choose_runtime
from editfoundry.pretrained.text_to_image import load_text_to_image
from editfoundry.pretraining.card import read_card, training_facts, training_parts, update_card
from editfoundry.pretraining.measure import EDITING, MEASURES
from editfoundry.pretraining.model_trainee import PretrainingConfig, PretrainingResult
from editfoundry.pretraining.recipes import (
    clip,
    controlnet,
    depth,
    detector,
    editworld,
    emu_edit,
    imagen_editor,
    ip_adapter,
    joint,
    language_model,
    mgie,
    segmenter,
    summarizer,
    task_predictor,
    vae,
    video_language_model,
    vision_language_model,
)
from editfoundry.pretraining.shared_files import share_equal_files, unshare_files
from editfoundry.profiles import EMBEDDED_FOLDER, Profile, load_profile
from editfoundry.tracking.mlflow_client import default_tracking_uri

VAE_FOLDER = "vae_trained"
DRAWING_NICENESS = 10
"""Of processes that draw ahead, while trainings want the cores too."""
Save = Callable[[Path], dict[str, int]]
"""Saves a trained model into a folder and returns its parameter counts by part."""
Trained = tuple[dict[str, Save], PretrainingResult]
"""Role -> what saves its model, and what the training took."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One training of embedded models: with what, from what, where."""

    work_dir: Path
    """Caches, checkpoints and the trained autoencoder."""
    device: torch.device
    config: PretrainingConfig
    models: Profile
    """The embedded models that are there already, of which some start from others."""
    shipped: Path | None = None
    """A model to train on, where one is continued."""
    num_examples: int | None = None
    """Pictures, pairs or edits to learn from; by default each recipe's own number."""
    examples: Mapping[str, int] = field(default_factory=dict)
    """Those numbers where the device wants others than the recipe's, by the recipe's names for them."""

    def sizes(self, *names: str) -> dict[str, int]:
        """Return a recipe's arguments of these names: ``num_examples``, where it is told."""
        return dict(self.examples) if self.num_examples is None else dict.fromkeys(names, self.num_examples)

    @property
    def runtime(self) -> Runtime:
        """Device and full precision, in which weights are trained."""
        return Runtime(self.device, torch.float32)


def pretrain(
    name: str,
    work_dir: Path,
    num_steps: int | None,
    device: str,
    continue_shipped: bool = False,
    out: Path = EMBEDDED_FOLDER,
    ends_at: float | None = None,
    is_tracked: bool = True,
    shares: bool = True,
    num_examples: int | None = None,
    settings: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Train one of `PRETRAININGS` from tinyworld, resuming what was interrupted.

    ``diffusion`` puts ``text_to_image`` and ``editor_base`` into ``out``, ``clip`` puts ``clip`` there; the autoencoder
    stays in ``work_dir`` and is shipped within the diffusion models. Equal files in ``out`` lie there once.

    Args:
        name: of the pretraining.
        work_dir: gets caches and checkpoints.
        num_steps: optimizer steps; by default those of the shipped model.
        device: ``auto``, ``cpu`` or ``cuda``.
        continue_shipped: train the model in ``out``, or else the package's, on, in a ``work_dir`` without its
            optimizer's state; the denoiser with the autoencoder in ``work_dir``, if there is one.
        out: folder of the embedded models; those that are missing there and are needed come from the package.
        ends_at: Unix time by which the training has to be over.
        is_tracked: whether MLflow's log is written, into ``work_dir``.
        num_examples: pictures, pairs or edits to learn from; by default each recipe's own number.
        shares: whether equal files in ``out`` are made links; not while others write there.
        settings: of the pretraining's configuration, in the place of its own, for example ``masking``.

    Raises:
        BadInputError: there is no such pretraining, the autoencoder is not there yet, ``continue_shipped`` is asked of
            another model, or ``work_dir`` holds the state of a training with other settings.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    if name not in PRETRAININGS:
        raise BadInputError(f"no pretraining {name!r}: they are {', '.join(PRETRAININGS)}")
    recipe, target = PRETRAININGS[name], choose_runtime(device, "float32").device
    uri = default_tracking_uri(work_dir) if is_tracked else None
    config = replace(config_on(recipe, target), mlflow_tracking_uri=uri, ends_at=ends_at)
    if num_steps is not None:
        config = replace(config, num_steps=num_steps)
    config = _with_settings(name, config, settings or {})
    job = Job(
        work_dir=work_dir,
        device=target,
        config=config,
        models=models_in(out),
        num_examples=num_examples,
        examples=examples_on(recipe, target),
    )
    before: dict[str, Any] = {}
    if continue_shipped:
        job, before = _continued(name, job, out)
    models, result = recipe.train(job)
    facts = training_facts(job.config, result, target) | ({"continued_from": before} if before else {})
    if shares:
        # Else a model that is replaced would take others, which have links to its files, with it.
        unshare_files(out)
    for role, save in models.items():
        folder = work_dir / VAE_FOLDER if role == "vae" else out / role
        shutil.rmtree(folder, ignore_errors=True)
        parameters = save(folder)
        if role != "vae":
            update_card(folder, role, parameters=parameters, training=facts)
    if shares:
        share_equal_files(out)
    return {**facts, "models": ", ".join(models)}


def _with_settings(name: str, config: PretrainingConfig, settings: Mapping[str, Any]) -> PretrainingConfig:
    """Return the configuration with some settings of its own.

    Raises:
        BadInputError: it has no such setting, or the setting cannot have that value.
    """
    unknown = sorted(settings.keys() - {field.name for field in fields(config)})
    if unknown:
        raise BadInputError(f"{name}: has no setting {unknown[0]!r}: leave it out")
    return replace(config, **settings)


def config_on(recipe: Pretraining, device: torch.device) -> PretrainingConfig:
    """Return a pretraining's settings on a kind of device."""
    return replace(recipe.config, **recipe.on_gpu) if device.type == "cuda" else recipe.config


def examples_on(recipe: Pretraining, device: torch.device) -> Mapping[str, int]:
    """Return the numbers of examples that are others than the recipe's own on a kind of device."""
    return recipe.examples_on_gpu if device.type == "cuda" else {}


def draw_pictures(name: str, work_dir: Path, device: str, num_examples: int | None = None) -> None:
    """Draw what a training learns from, ahead of it; see `Pretraining.draw`.

    Raises:
        BadInputError: its pictures cannot be drawn before the models that it starts from are there.
    """
    recipe, target = PRETRAININGS[name], choose_runtime(device, "float32").device
    if recipe.draw is None:
        raise BadInputError(f"{name}: its pictures are drawn as it begins")
    numbers = examples_on(recipe, target)
    if num_examples is not None:
        numbers = dict.fromkeys(recipe.examples_on_gpu, num_examples)
    recipe.draw(work_dir, **numbers)


def models_in(folder: Path) -> Profile:
    """Return the embedded profile, with the models that are in ``folder`` in the place of the package's."""
    shipped = load_profile("embedded")

    def there(source: str) -> str:
        own = folder / source.removeprefix("package:")
        return str(own.resolve()) if folder != EMBEDDED_FOLDER and own.is_dir() else source

    models = {
        role: replace(
            model, source=there(model.source), image_encoder=model.image_encoder and there(model.image_encoder)
        )
        for role, model in shipped.models.items()
    }
    return replace(shipped, models=models)


def _continued(name: str, job: Job, out: Path) -> tuple[Job, dict[str, Any]]:
    """Return the job that trains on what is in ``out``, and what that one's card says of its training."""
    recipe = PRETRAININGS[name]
    if recipe.continued_role is None:
        known = ", ".join(name for name, other in PRETRAININGS.items() if other.continued_role)
        raise BadInputError(f"{name}: only {known} can be continued from what is shipped")
    shipped = next(folder / recipe.continued_role for folder in (out, EMBEDDED_FOLDER) if _is_there(folder, recipe))
    config = replace(job.config, learning_rate=recipe.continued_rate * job.config.learning_rate)
    return replace(job, config=config, shipped=shipped), read_card(shipped).get("training", {})


def measure(role: str, device: str, profile: str = "embedded") -> dict[str, float]:
    """Measure a shipped model on held-out scenes and write the figures into its card.

    Raises:
        MissingModelError: the model, or the CLIP it is judged by, is not there.
    """
    if role not in MEASURES:
        raise BadInputError(f"no measure of {role!r}: roles are {', '.join(MEASURES)}")
    chosen = load_profile(profile)
    measured = MEASURES[role](chosen, choose_runtime(device, "float32"))
    # Finished editors play no role in other stages, so no profile names them.
    folder = Path(chosen.model(role).location) if role in chosen.models else EMBEDDED_FOLDER / role
    update_card(folder, role, measured=measured)
    return measured


def _is_there(folder: Path, recipe: Pretraining) -> bool:
    return folder == EMBEDDED_FOLDER or (folder / str(recipe.continued_role)).is_dir()


def _vae(job: Job) -> Trained:
    start = None if job.shipped is None else job.shipped / "vae"
    model, result = vae.train_vae(job.work_dir, job.device, job.config, start, **job.sizes("num_pictures"))
    return {"vae": _saver(model)}, result


def _clip(job: Job) -> Trained:
    model, processor, result = clip.train_clip(job.work_dir, job.device, job.config, **job.sizes("num_pairs"))
    return {"clip": _saver(model, processor)}, result


def _diffusion(job: Job) -> Trained:
    start = None
    if job.shipped is not None:
        start = StableDiffusionInstructPix2PixPipeline.from_pretrained(job.shipped, torch_dtype=torch.float32)
    is_here = (job.work_dir / VAE_FOLDER).is_dir()
    autoencoder = start.vae.eval().to(job.device) if start is not None and not is_here else _trained_vae(job)
    # Else its configuration is shipped with this machine's path in it.
    autoencoder.register_to_config(_name_or_path="")
    painter, editor, result = joint.train_diffusion(
        job.work_dir, autoencoder, job.device, job.config, start, **job.sizes("num_scenes", "num_edits")
    )
    return {"text_to_image": _saver(painter), "editor_base": _editor_saver(editor)}, result


def _controlnet(job: Job) -> Trained:
    painter = load_text_to_image(job.models, job.runtime)
    model, result = controlnet.train_controlnet(
        job.work_dir, painter, job.device, job.config, **job.sizes("num_scenes")
    )
    return {"controlnet_canny": _saver(model)}, result


def _ip_adapter(job: Job) -> Trained:
    painter = load_text_to_image(job.models, job.runtime)
    encoder = load_image_encoder(job.models.model("clip"), job.runtime)
    tensors, result = ip_adapter.train_ip_adapter(
        job.work_dir, painter, *encoder, job.device, job.config, **job.sizes("num_pairs")
    )
    return {"ip_adapter": partial(ip_adapter.save_ip_adapter, tensors)}, result


def _language_model(job: Job) -> Trained:
    model, tokenizer, result = language_model.train_language_model(job.work_dir, job.device, job.config, job.shipped)
    return {"language_model": _saver(model, tokenizer)}, result


def _vision_language_model(job: Job) -> Trained:
    # The autoencoder that was trained here is there before the painter that has it.
    is_here = (job.work_dir / VAE_FOLDER).is_dir()
    autoencoder = _trained_vae(job) if is_here else load_text_to_image(job.models, job.runtime).vae
    model, processor, result = vision_language_model.train_vision_language_model(
        job.work_dir,
        load_clip(job.models, job.runtime).model,
        autoencoder,
        job.device,
        job.config,
        num_pairs=job.sizes("num_pairs").get("num_pairs", vision_language_model.NUM_PAIRS),
    )
    return {"vision_language_model": _saver(model, processor)}, result


def _video_language_model(job: Job) -> Trained:
    model, processor, result = video_language_model.train_video_language_model(
        job.work_dir,
        load_clip(job.models, job.runtime).model,
        job.device,
        job.config,
        **job.sizes("num_pairs"),
    )
    return {"video_language_model": _saver(model, processor)}, result


def _segmenter(job: Job) -> Trained:
    model, result = segmenter.train_segmenter(job.work_dir, job.device, job.config, **job.sizes("num_pictures"))
    return {"segmenter": partial(segmenter.save_segmenter, model)}, result


def _detector(job: Job) -> Trained:
    model, processor, result = detector.train_detector(
        job.work_dir, job.device, job.config, **job.sizes("num_pictures")
    )
    return {"detector": _saver(model, processor)}, result


def _depth(job: Job) -> Trained:
    model, processor, result = depth.train_depth(job.work_dir, job.device, job.config, **job.sizes("num_pictures"))
    return {"depth": _saver(model, processor)}, result


def _editworld(job: Job) -> Trained:
    start, seed = _start_of_editor(job)
    pipeline, result = editworld.train_editworld(
        job.work_dir, start, job.config, data_seed=seed, **job.sizes("num_triplets")
    )
    return {"editworld": _editor_saver(pipeline)}, result


def _mgie(job: Job, name: str = "mgie") -> Trained:
    start, mllm = (job.models.model(role).location for role in ("editor_base", "vision_language_model"))
    model, result = mgie.train_mgie(job.work_dir, start, mllm, job.config, name, **job.sizes("num_triplets"))
    return {name: partial(mgie.save_in_half, model, editing=EDITING)}, result


def _mgie_baseline(job: Job) -> Trained:
    start = job.models.model("editor_base").location
    pipeline, result = mgie.train_baseline(job.work_dir, start, job.config, **job.sizes("num_triplets"))
    return {mgie.BASELINE: _editor_saver(pipeline)}, result


def _emu_edit(job: Job) -> Trained:
    start, seed = _start_of_editor(job)
    pipeline, table, result = emu_edit.train_emu_edit(
        job.work_dir, start, job.config, data_seed=seed, **job.sizes("num_triplets")
    )

    def save(folder: Path) -> dict[str, int]:
        counts = _editor_saver(pipeline)(folder)
        table.save(folder)
        return {**counts, "task_embeddings": table.vectors.numel()}

    return {"emu_edit": save}, result


def _summarizer(job: Job) -> Trained:
    model, tokenizer, result = summarizer.train_summarizer(
        job.work_dir, job.device, job.config, **job.sizes("num_descriptions")
    )
    return {"summarizer": _saver(model, tokenizer)}, result


def _task_predictor(job: Job) -> Trained:
    model, tokenizer, result = task_predictor.train_task_predictor(
        job.work_dir, job.device, job.config, **job.sizes("num_instructions")
    )
    return {"task_predictor": _saver(model, tokenizer)}, result


def _start_of_editor(job: Job) -> tuple[Path, int]:
    """Return the editor that is fine-tuned, and the seed of its triplets: of one that is trained on, unseen ones."""
    if job.shipped is None:
        return Path(job.models.model("editor_base").location), 0
    parts = training_parts(read_card(job.shipped).get("training", {}))
    return job.shipped, sum(part["steps"] for part in parts)


def _imagen_editor(job: Job) -> Trained:
    painter = load_text_to_image(job.models, job.runtime)
    pipeline, result = imagen_editor.train_imagen_editor(
        job.work_dir, painter.tokenizer, painter.text_encoder, job.device, job.config, **job.sizes("num_scenes")
    )
    return {"imagen_editor": _editor_saver(pipeline, imagen_editor.SAMPLING)}, result


def _trained_vae(job: Job) -> AutoencoderKL:
    folder = job.work_dir / VAE_FOLDER
    if not folder.is_dir():
        raise BadInputError(f"{folder}: no autoencoder yet; run editfoundry tinyworld pretrain vae first")
    return AutoencoderKL.from_pretrained(folder, torch_dtype=torch.float32).eval().to(job.device)


@dataclass(frozen=True, kw_only=True)
class Pretraining:
    """How one or two of the embedded models are trained, and when in a training of all of them."""

    config: PretrainingConfig
    train: Callable[[Job], Trained]
    after: tuple[str, ...] = ()
    """Pretrainings whose models it starts from."""
    over_by: float
    """Share of the time of a suite, see `suite`, by which it has to be over."""
    on_gpu: Mapping[str, Any] = field(default_factory=dict)
    """Settings that suit a GPU, in the place of ``config``'s."""
    continued_role: str | None = None
    """Role whose shipped model can be trained on, where one can."""
    continued_rate: float = 1.0
    """Share of the learning rate that training on takes."""
    examples_on_gpu: Mapping[str, int] = field(default_factory=dict)
    """Numbers of examples that suit a GPU, in the place of the recipe's own, by its names for them."""
    draw: Callable[..., object] | None = None
    """``(work_dir, **numbers of examples)``: draws what can be drawn before there are the models it starts from; the
    numbers are those of ``examples_on_gpu``."""
    can_warm_start: bool = False
    """Whether a suite can start it from what is shipped: where that need not fit what the suite trained before."""
    is_control: bool = False
    """Whether a shipped model is only compared with it: not shipped itself, it is trained only where it is named."""


_MGIE = Pretraining(
    config=mgie.CONFIG,
    train=_mgie,
    after=("diffusion", "vision_language_model"),
    over_by=1.0,
    on_gpu=mgie.ON_GPU,
    examples_on_gpu=mgie.EXAMPLES_ON_GPU,
    draw=mgie.draw,
)
PRETRAININGS = {
    "vae": Pretraining(
        config=vae.CONFIG,
        train=_vae,
        over_by=0.2,
        on_gpu=vae.ON_GPU,
        continued_role="text_to_image",
        can_warm_start=True,
    ),
    "clip": Pretraining(config=clip.CONFIG, train=_clip, over_by=0.24, on_gpu=clip.ON_GPU),
    "diffusion": Pretraining(
        config=joint.CONFIG,
        train=_diffusion,
        after=("vae",),
        over_by=0.62,
        on_gpu=joint.ON_GPU,
        examples_on_gpu=joint.EXAMPLES_ON_GPU,
        draw=joint.draw,
        continued_role="editor_base",
        can_warm_start=True,
    ),
    "language_model": Pretraining(
        config=language_model.CONFIG,
        train=_language_model,
        over_by=0.55,
        on_gpu=language_model.ON_GPU,
        continued_role="language_model",
        continued_rate=0.5,
    ),
    "segmenter": Pretraining(config=segmenter.CONFIG, train=_segmenter, over_by=0.4, on_gpu=segmenter.ON_GPU),
    "detector": Pretraining(config=detector.CONFIG, train=_detector, over_by=0.7, on_gpu=detector.ON_GPU),
    "depth": Pretraining(config=depth.CONFIG, train=_depth, over_by=0.5, on_gpu=depth.ON_GPU),
    "video_language_model": Pretraining(
        config=video_language_model.CONFIG,
        train=_video_language_model,
        after=("clip",),
        over_by=0.9,
        on_gpu=video_language_model.ON_GPU,
    ),
    "editworld": Pretraining(
        config=editworld.CONFIG,
        train=_editworld,
        after=("diffusion",),
        over_by=1.0,
        on_gpu=editworld.ON_GPU,
        examples_on_gpu=editworld.EXAMPLES_ON_GPU,
        draw=editworld.draw,
        continued_role="editworld",
    ),
    "emu_edit": Pretraining(
        config=emu_edit.CONFIG,
        train=_emu_edit,
        after=("diffusion",),
        over_by=1.0,
        on_gpu=emu_edit.ON_GPU,
        examples_on_gpu=emu_edit.EXAMPLES_ON_GPU,
        draw=emu_edit.draw,
        continued_role="emu_edit",
    ),
    "summarizer": Pretraining(config=summarizer.CONFIG, train=_summarizer, over_by=0.5, on_gpu=summarizer.ON_GPU),
    "task_predictor": Pretraining(config=task_predictor.CONFIG, train=_task_predictor, over_by=0.5),
    "controlnet_canny": Pretraining(
        config=controlnet.CONFIG, train=_controlnet, after=("diffusion",), over_by=0.95, on_gpu=controlnet.ON_GPU
    ),
    "ip_adapter": Pretraining(
        config=ip_adapter.CONFIG,
        train=_ip_adapter,
        after=("diffusion", "clip"),
        over_by=0.95,
        on_gpu=ip_adapter.ON_GPU,
    ),
    "imagen_editor": Pretraining(
        config=imagen_editor.CONFIG,
        train=_imagen_editor,
        after=("diffusion",),
        over_by=1.0,
        on_gpu=imagen_editor.ON_GPU,
        examples_on_gpu=imagen_editor.EXAMPLES_ON_GPU,
        draw=imagen_editor.draw,
    ),
    "vision_language_model": Pretraining(
        config=vision_language_model.CONFIG,
        train=_vision_language_model,
        after=("vae", "clip"),
        over_by=0.7,
        on_gpu=vision_language_model.ON_GPU,
    ),
    "mgie": _MGIE,
    **{
        name: replace(_MGIE, train=partial(_mgie, name=name), draw=None, is_control=True)
        for name in mgie.VARIANTS
        if name != "mgie"
    },
    mgie.BASELINE: replace(_MGIE, train=_mgie_baseline, draw=None, is_control=True),
}
"""By the names of `card.PRETRAININGS`, in the order in which one after the other is trained."""


def _saver(model: Any, *extras: Any) -> Save:
    def save(folder: Path) -> dict[str, int]:
        precision = torch.float32 if isinstance(model, AutoencoderKL) else torch.float16
        model.to(precision).save_pretrained(folder)
        for extra in extras:
            extra.save_pretrained(folder)
        if isinstance(model, DiffusionPipeline):
            _open_in_full_precision(folder / "text_encoder" / "config.json")
        return _parameter_counts(model)

    return save


def _editor_saver(pipeline: DiffusionPipeline, editing: EditingDefaults = EDITING) -> Save:
    def save(folder: Path) -> dict[str, int]:
        counts = _saver(pipeline)(folder)
        write_editing_defaults(folder, editing)
        return counts

    return save


def _open_in_full_precision(config: Path) -> None:
    """Let transformers open half-precision weights in float32 by default, as diffusers does the other components."""
    values = json.loads(config.read_text())
    config.write_text(json.dumps({**values, "dtype": "float32"}, indent=2) + "\n")


def _parameter_counts(model: Any) -> dict[str, int]:
    parts = getattr(model, "components", None) or {"model": model}
    return {
        name: sum(p.numel() for p in part.parameters()) for name, part in parts.items() if hasattr(part, "parameters")
    }
