"""The trainings of the embedded models, each with its recipe."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from diffusers import AutoencoderKL, StableDiffusionInstructPix2PixPipeline

from editfoundry.editors.families.mgie.model import MLLM_FOLDER
from editfoundry.errors import BadInputError
from editfoundry.pretrained.clip import load_clip
from editfoundry.pretrained.ip_adapter import load_image_encoder
from editfoundry.pretrained.text_to_image import load_text_to_image
from editfoundry.pretraining.card import read_card, steps_of
from editfoundry.pretraining.job import Job, Pretraining, Trained
from editfoundry.pretraining.measure import EDITING, PAINTING
from editfoundry.pretraining.moved_editor import moved_editor
from editfoundry.pretraining.recipes import (
    clip,
    controlnet,
    depth,
    detector,
    editworld,
    emu_edit,
    imagen_editor,
    inpainter,
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
from editfoundry.pretraining.shipping import editor_saver, saver
from editfoundry.pretraining.weight_shards import save_with_llava_in_shards, save_with_unet_in_shards
from editfoundry.profiles import EMBEDDED_FOLDER

VAE_FOLDER = "vae_trained"


def _vae(job: Job) -> Trained:
    start = None if job.shipped is None else job.shipped / "vae"
    model, result = vae.train_vae(job.work_dir, job.device, job.config, start, **job.sizes("num_pictures"))
    return {"vae": saver(model)}, result


def _vae_decoder(job: Job) -> Trained:
    is_here = (job.work_dir / VAE_FOLDER).is_dir()
    start = _trained_vae(job) if is_here else load_text_to_image(job.models, job.runtime).vae
    start.to(memory_format=torch.channels_last)
    model, result = vae.polish_decoder(
        job.work_dir, start, job.device, job.config, **job.sizes("num_pictures"), name="vae_polished"
    )
    return {"vae": saver(model)}, result


def _clip(job: Job) -> Trained:
    model, processor, result = clip.train_clip(job.work_dir, job.device, job.config, **job.sizes("num_pairs"))
    return {"clip": saver(model, processor)}, result


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
    savers = {"text_to_image": editor_saver(painter, PAINTING), "editor_base": editor_saver(editor)}
    return {role: partial(save_with_unet_in_shards, save) for role, save in savers.items()}, result


def _controlnet(job: Job) -> Trained:
    painter = load_text_to_image(job.models, job.runtime)
    model, result = controlnet.train_controlnet(
        job.work_dir, painter, job.device, job.config, **job.sizes("num_scenes")
    )
    return {"controlnet_canny": saver(model)}, result


def _ip_adapter(job: Job) -> Trained:
    painter = load_text_to_image(job.models, job.runtime)
    encoder = load_image_encoder(job.models.model("clip"), job.runtime)
    tensors, result = ip_adapter.train_ip_adapter(
        job.work_dir, painter, *encoder, job.device, job.config, **job.sizes("num_pairs")
    )
    return {"ip_adapter": partial(ip_adapter.save_ip_adapter, tensors)}, result


def _inpainter(job: Job) -> Trained:
    start, seed = job.models.model("text_to_image").location, 0
    if job.shipped is not None:
        start, seed = str(job.shipped), steps_of(read_card(job.shipped))
    pipeline, result = inpainter.train_inpainter(
        job.work_dir, start, job.config, data_seed=seed, **job.sizes("num_pictures")
    )
    return {"inpainter": partial(save_with_unet_in_shards, editor_saver(pipeline, inpainter.SAMPLING))}, result


def _language_model(job: Job) -> Trained:
    model, tokenizer, result = language_model.train_language_model(job.work_dir, job.device, job.config, job.shipped)
    return {"language_model": saver(model, tokenizer)}, result


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
    return {"vision_language_model": partial(save_with_llava_in_shards, saver(model, processor))}, result


def _video_language_model(job: Job) -> Trained:
    model, processor, result = video_language_model.train_video_language_model(
        job.work_dir,
        load_clip(job.models, job.runtime).model,
        job.device,
        job.config,
        **job.sizes("num_pairs"),
    )
    return {"video_language_model": saver(model, processor)}, result


def _segmenter(job: Job) -> Trained:
    model, result = segmenter.train_segmenter(job.work_dir, job.device, job.config, **job.sizes("num_pictures"))
    return {"segmenter": partial(segmenter.save_segmenter, model)}, result


def _detector(job: Job) -> Trained:
    model, processor, result = detector.train_detector(
        job.work_dir, job.device, job.config, shipped=job.shipped, **job.sizes("num_pictures")
    )
    return {"detector": saver(model, processor)}, result


def _depth(job: Job) -> Trained:
    model, processor, result = depth.train_depth(
        job.work_dir, job.device, job.config, shipped=job.shipped, **job.sizes("num_pictures")
    )
    return {"depth": saver(model, processor)}, result


def _editworld(job: Job) -> Trained:
    start, seed = _start_of_editor(job)
    pipeline, result = editworld.train_editworld(
        job.work_dir, start, job.config, data_seed=seed, **job.sizes("num_triplets")
    )
    return {"editworld": editor_saver(pipeline)}, result


def _mgie(job: Job, name: str = "mgie") -> Trained:
    start, mllm = _world_editor(job), job.models.model("vision_language_model").location
    seed = 0 if job.shipped is None else steps_of(read_card(job.shipped))
    model, result = mgie.train_mgie(
        job.work_dir, start, mllm, job.config, name, shipped=job.shipped, data_seed=seed, **job.sizes("num_triplets")
    )
    save = partial(mgie.save_in_half, model, editing=EDITING)
    return {name: partial(save_with_llava_in_shards, save, inside=MLLM_FOLDER)}, result


def _mgie_baseline(job: Job) -> Trained:
    start = _world_editor(job)
    pipeline, result = mgie.train_baseline(job.work_dir, start, job.config, **job.sizes("num_triplets"))
    return {mgie.BASELINE: editor_saver(pipeline)}, result


def _emu_edit(job: Job) -> Trained:
    start, seed = _start_of_editor(job)
    pipeline, table, result = emu_edit.train_emu_edit(
        job.work_dir, start, job.config, data_seed=seed, **job.sizes("num_triplets")
    )

    def save(folder: Path) -> dict[str, int]:
        counts = editor_saver(pipeline)(folder)
        table.save(folder)
        return {**counts, "task_embeddings": table.vectors.numel()}

    return {"emu_edit": save}, result


def _summarizer(job: Job) -> Trained:
    model, tokenizer, result = summarizer.train_summarizer(
        job.work_dir, job.device, job.config, **job.sizes("num_descriptions")
    )
    return {"summarizer": saver(model, tokenizer)}, result


def _task_predictor(job: Job) -> Trained:
    model, tokenizer, result = task_predictor.train_task_predictor(
        job.work_dir, job.device, job.config, **job.sizes("num_instructions")
    )
    return {"task_predictor": saver(model, tokenizer)}, result


def _start_of_editor(job: Job) -> tuple[Path, int]:
    """Return the editor that is fine-tuned, and the seed of its triplets: of one that is trained on, unseen ones."""
    if job.shipped is None:
        return Path(job.models.model("editor_base").location), 0
    start = job.shipped
    if (job.work_dir / VAE_FOLDER).is_dir():
        start = moved_editor(start, _trained_vae(job), job.work_dir / "data")
    return start, steps_of(read_card(job.shipped))


def _world_editor(job: Job) -> str:
    """Return the folder of EditWorld's editor: the one beside the base, or else the shipped one."""
    beside = Path(job.models.model("editor_base").location).with_name("editworld")
    return str(beside if beside.is_dir() else EMBEDDED_FOLDER / "editworld")


def _imagen_editor(job: Job) -> Trained:
    painter = load_text_to_image(job.models, job.runtime)
    pipeline, result = imagen_editor.train_imagen_editor(
        job.work_dir, painter.tokenizer, painter.text_encoder, job.device, job.config, **job.sizes("num_scenes")
    )
    return {"imagen_editor": editor_saver(pipeline, imagen_editor.SAMPLING)}, result


def _trained_vae(job: Job) -> AutoencoderKL:
    folder = job.work_dir / VAE_FOLDER
    if not folder.is_dir():
        raise BadInputError(f"{folder}: no autoencoder yet; run editfoundry tinyworld pretrain vae first")
    return AutoencoderKL.from_pretrained(folder, torch_dtype=torch.float32).eval().to(job.device)


_MGIE = Pretraining(
    config=mgie.CONFIG,
    train=_mgie,
    after=("editworld", "vision_language_model"),
    over_by=1.0,
    on_gpu=mgie.ON_GPU,
    examples_on_gpu=mgie.EXAMPLES_ON_GPU,
    draw=mgie.draw,
    continued_role="mgie",
    draws_on=True,
)
PRETRAININGS = {
    "vae": Pretraining(
        config=vae.CONFIG,
        train=_vae,
        over_by=0.18,
        on_gpu=vae.ON_GPU,
        examples_on_gpu=vae.EXAMPLES_ON_GPU,
        continued_role="text_to_image",
        can_warm_start=True,
    ),
    "vae_decoder": Pretraining(
        config=vae.DECODER_CONFIG,
        train=_vae_decoder,
        over_by=1.0,
        on_gpu=vae.DECODER_ON_GPU,
        examples_on_gpu=vae.DECODER_EXAMPLES_ON_GPU,
        is_only_named=True,
    ),
    "clip": Pretraining(config=clip.CONFIG, train=_clip, over_by=0.24, on_gpu=clip.ON_GPU),
    "diffusion": Pretraining(
        config=joint.CONFIG,
        train=_diffusion,
        after=("vae",),
        over_by=0.72,
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
    "detector": Pretraining(
        config=detector.CONFIG,
        train=_detector,
        over_by=0.7,
        on_gpu=detector.ON_GPU,
        continued_role="detector",
        continued_rate=0.6,
    ),
    "depth": Pretraining(
        config=depth.CONFIG,
        train=_depth,
        over_by=0.5,
        on_gpu=depth.ON_GPU,
        continued_role="depth",
        continued_rate=0.6,
    ),
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
        over_by=0.9,
        on_gpu=editworld.ON_GPU,
        examples_on_gpu=editworld.EXAMPLES_ON_GPU,
        draw=editworld.draw,
        continued_role="editworld",
        can_warm_start=True,
        after_warm=("vae",),
        draws_on=True,
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
        can_warm_start=True,
        after_warm=("vae",),
        draws_on=True,
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
    "inpainter": Pretraining(
        config=inpainter.CONFIG,
        train=_inpainter,
        after=("diffusion",),
        over_by=0.95,
        on_gpu=inpainter.ON_GPU,
        examples_on_gpu=inpainter.EXAMPLES_ON_GPU,
        draw=inpainter.draw,
        continued_role="inpainter",
        draws_on=True,
    ),
    "imagen_editor": Pretraining(
        config=imagen_editor.CONFIG,
        train=_imagen_editor,
        after=("diffusion",),
        over_by=1.0,
        after_warm=(),
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
        name: replace(_MGIE, train=partial(_mgie, name=name), draw=None, continued_role=None, is_only_named=True)
        for name in mgie.VARIANTS
        if name != "mgie"
    },
    mgie.BASELINE: replace(_MGIE, train=_mgie_baseline, draw=None, continued_role=None, is_only_named=True),
}
"""By the names of `card.PRETRAININGS`, in the order in which one after the other is trained."""
