"""Model cards: what an embedded model is, how it was trained, and what it was measured to do."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from editfoundry.pretraining.model_trainee import PretrainingConfig, PretrainingResult

CARD = "README.md"
FACTS = "card.json"

DESCRIPTIONS = {
    "text_to_image": "AutoencoderKL, CLIP text encoder and UNet2DConditionModel in the layout of Stable Diffusion, 64 x 64 pixels.",  # noqa: E501
    "clip": "A transformers CLIPModel for 64 x 64 pixels.",
    "editor_base": "InstructPix2Pix's editor (its UNet sees the picture beside the noise), trained on plain add, change and remove edits alone: no world rule was ever shown to it.",  # noqa: E501
    "controlnet_canny": "A diffusers ControlNetModel for `text_to_image`: canny edges of the picture that is to be painted.",  # noqa: E501
    "language_model": "A transformers LlamaForCausalLM that writes quadruples about tinyworld, asked by `editfoundry quadruples` with the exemplars `tinyworld`, and instructions of its storylines, asked with the storyline prompts `tinyworld`.",  # noqa: E501
    "vision_language_model": "A transformers LlavaForConditionalGeneration with `clip`'s vision tower, frozen; it judges edits by the prompts of `editfoundry.judging` and captions pictures.",  # noqa: E501
    "video_language_model": "A transformers VideoLlavaForConditionalGeneration with the first layers of `clip`'s vision tower, trained on; it says what happens between two frames, asked with the storyline prompts `tinyworld`.",  # noqa: E501
    "editworld": "EditWorld's editor: `editor_base` fine-tuned by `editfoundry train` on tinyworld's training rules.",
    "mgie": "MGIE's editor: `vision_language_model` and `editworld`'s UNet, which stays as it is, brought together by `editfoundry train`; the language model looks at the picture and says what it will become.",  # noqa: E501
    "mgie_lgie": "LGIE, the text-only twin of `mgie`: what that is compared with.",
    "mgie_fz": "`mgie` with a language model that stays as it is: what that is compared with.",
    "mgie_ft": "`mgie` with a language model that learns to answer alone: what that is compared with.",
    "mgie_raw": "`mgie` whose language model answers with the raw instruction: what that is compared with.",
    "mgie_frozen": "`mgie` with a language model of which only token embeddings and head were trained, as in the paper: what that is compared with.",  # noqa: E501
    "mgie_baseline": "`editworld` trained on the triplets of `mgie`: what that is compared with.",
    "emu_edit": "Emu Edit's editor: `editor_base` fine-tuned by `editfoundry train` on tinyworld's fifteen tasks, with a table of their embeddings beside its UNet.",  # noqa: E501
    "summarizer": "A transformers T5ForConditionalGeneration that makes a caption of a long description of a scene.",
    "task_predictor": "A transformers T5ForSequenceClassification that tells Emu Edit's task of an instruction.",
    "segmenter": "segment-anything's `Sam` for 64 x 64 pixels, in the layout of transformers: from a point, three masks of a thing.",  # noqa: E501
    "detector": "A transformers GroundingDinoForObjectDetection for 64 x 64 pixels, with a ConvNeXt in the place of Swin: boxes of what phrases name.",  # noqa: E501
    "depth": "A transformers DPTForDepthEstimation for 64 x 64 pixels: how near each pixel is, as an inverse distance.",  # noqa: E501
    "inpainter": "A diffusers StableDiffusionInpaintPipeline (9-channel layout): `text_to_image`, whose outer levels learned to see a picture with a hole; paints by a prompt where a mask allows.",  # noqa: E501
    "imagen_editor": "Imagen Editor's cascade in pixel space (32, then 64 pixels), in the layout of diffusers: paints by a prompt where a mask allows; its text encoder is `text_to_image`'s.",  # noqa: E501
    "ip_adapter": "An IP-Adapter for `text_to_image` in the published layout (4 image tokens); its image encoder is `clip`'s.",  # noqa: E501
}
RECIPES = {
    "text_to_image": "diffusion",
    "clip": "clip",
    "editor_base": "diffusion",
    "controlnet_canny": "controlnet_canny",
    "inpainter": "inpainter",
    "imagen_editor": "imagen_editor",
    "ip_adapter": "ip_adapter",
    "language_model": "language_model",
    "vision_language_model": "vision_language_model",
    "video_language_model": "video_language_model",
    "segmenter": "segmenter",
    "detector": "detector",
    "depth": "depth",
    "editworld": "editworld",
    "mgie": "mgie",
    "emu_edit": "emu_edit",
    "task_predictor": "task_predictor",
    "summarizer": "summarizer",
}
"""The pretraining that makes each shipped model."""
CONTROLS = ("mgie_lgie", "mgie_fz", "mgie_ft", "mgie_raw", "mgie_frozen", "mgie_baseline")
"""Pretrainings of models that are not shipped: what shipped ones are compared with."""
PRETRAININGS = ("vae", "vae_decoder", *dict.fromkeys(RECIPES.values()), *CONTROLS)
"""In the order to run them: each needs only models of those before it."""
DATA = {
    "text_to_image": "Captioned scenes of tinyworld's training split; one network with `editor_base`, whose plain edits it saw too.",  # noqa: E501
    "clip": "Captioned scenes of tinyworld's training split, each with a twin that has one object in another state.",
    "editor_base": "Plain edits of tinyworld's training split; one network with `text_to_image`, whose captioned scenes it saw too.",  # noqa: E501
    "controlnet_canny": "Captioned scenes of tinyworld's training split with their edges; the painter is frozen.",
    "language_model": "The quadruple writer's own chats about scenes of tinyworld's training split, and descriptions of their storylines, with true answers.",  # noqa: E501
    "vision_language_model": "World edits of tinyworld's training split with true, wrong, unchanged, foreign, moved, blurred and noisy outcomes, half of them through the autoencoder, judged by rule from their scenes; first the same edits told in captions alone.",  # noqa: E501
    "video_language_model": "Scenes of tinyworld's training split and their twins with one object in another state, half of them by a rule of the video categories, under a moving camera and noise.",  # noqa: E501
    "editworld": "World edits by tinyworld's training rules with their true outcomes, lastly with paraphrases of their wordings and of twelve further ones of each rule, a tenth of them asked of what is not in the picture, and a fifth of plain edits; no held-out combination or wording, no held-out rule.",  # noqa: E501
    **dict.fromkeys(
        ("mgie", *CONTROLS),
        "World edits of tinyworld's training split by instructions that only the picture makes clear, with their true outcomes and captions, and as many plain edits; no held-out combination or wording.",  # noqa: E501
    ),
    "emu_edit": "True triplets of tinyworld's fifteen tasks in its training split, in training wordings and in the task predictor's further ones.",  # noqa: E501
    "summarizer": "Long descriptions of scenes of tinyworld's training split, with their captions.",
    "task_predictor": "Instructions of tinyworld's fifteen tasks in its training split, in training wordings and in further ones of the recipe's own; no held-out sentence, but some of their words.",  # noqa: E501
    "segmenter": "Scenes of tinyworld's training split with the true masks of their objects, from one random point each.",  # noqa: E501
    "detector": "Scenes of tinyworld's training split with the true boxes of their objects, asked for those and for others.",  # noqa: E501
    "depth": "Scenes of tinyworld's training split with their exact inverse distances.",
    "inpainter": "Captioned scenes of tinyworld's training split, and phrases that name one thing of them; masks are true boxes of what is named, random ones, and unions of both.",  # noqa: E501
    "imagen_editor": "Captioned scenes of tinyworld's training split, and phrases that name one thing of them; masks are true boxes of what is named, random ones, and unions of both.",  # noqa: E501
    "ip_adapter": "Twin scenes of tinyworld's training split: one is painted, the other's features are given.",
}


def models_of(pretraining: str) -> list[str]:
    """Return the models that a pretraining makes, by the names of their folders; none for the autoencoder."""
    if pretraining in CONTROLS:
        return [pretraining]
    return [role for role, recipe in RECIPES.items() if recipe == pretraining]


def machine_name(device: torch.device) -> str:
    """Name what a model was trained on, for example ``"2 CPU cores (x86_64)"``."""
    if device.type == "cuda":
        import torch

        return torch.cuda.get_device_name(device)
    return f"{os.cpu_count()} CPU cores ({platform.machine()})"


def training_facts(config: PretrainingConfig, result: PretrainingResult, device: torch.device) -> dict[str, Any]:
    """Return what a card says of a training run."""
    return {
        "steps": result.num_steps,
        "batch_size": config.batch_size,
        "learning_rate": config.learning_rate,
        "seed": config.seed,
        "minutes": round(result.seconds / 60, 1),
        "final_loss": round(result.final_loss, 5),
        "machine": machine_name(device),
    }


def training_parts(training: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a card's training and those that it was continued from, the latest first; empty for none."""
    return [training, *training_parts(training.get("continued_from", {}))] if training else []


def steps_of(card: dict[str, Any]) -> int:
    """Return the optimizer steps of a card's training and of those that it was continued from."""
    return sum(part["steps"] for part in training_parts(card.get("training", {})))


def read_card(folder: Path) -> dict[str, Any]:
    """Return what a model's card says; empty where there is none."""
    path = folder / FACTS
    return json.loads(path.read_text()) if path.is_file() else {}


def update_card(folder: Path, role: str, **sections: dict[str, Any]) -> dict[str, Any]:
    """Merge ``parameters``, ``training`` or ``measured`` into ``card.json``, and write ``README.md`` from it."""
    facts = read_card(folder) | sections
    (folder / FACTS).write_text(json.dumps(facts, indent=1) + "\n")
    (folder / CARD).write_text(_markdown(role, facts))
    return facts


def _markdown(role: str, facts: dict[str, Any]) -> str:
    lines = ["---", "license: apache-2.0", "---", "", f"# editfoundry embedded `{role}`", "", DESCRIPTIONS[role], ""]
    lines += [
        f"Trained on: {DATA[role]}",
        "",
        f"Made by `editfoundry tinyworld pretrain {RECIPES.get(role, role)}`.",
        "",
    ]
    for title, section in facts.items():
        lines += [f"## {title.capitalize()}", ""]
        lines += [f"* {name.replace('_', ' ')}: {_text(value)}" for name, value in section.items()]
        lines.append("")
    if "measured" in facts:
        lines += [f"Measured on held-out scenes by `editfoundry tinyworld measure {role}`.", ""]
    return "\n".join(lines)


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{k.replace('_', ' ')} {_text(v)}" for k, v in value.items())
    if isinstance(value, int) and value >= 10_000:
        return f"{value:,}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
