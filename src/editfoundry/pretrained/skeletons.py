"""A role's model on torch's meta device: every shape of it and none of its numbers, from configuration files alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from editfoundry.pretrained.configurations import read_configuration
from editfoundry.pretrained.quiet_libraries import quiet_libraries
from editfoundry.profiles import BYTES_OF, ModelReference, Profile

PIPELINE_ROLES = ("text_to_image", "inpainter", "editor_base")
"""Roles that are pipelines of diffusers: a UNet, an autoencoder and text encoders."""


@dataclass(frozen=True)
class Skeleton:
    """A model of shapes."""

    role: str
    modules: Mapping[str, nn.Module]
    """By their names in diffusers' pipelines; ``model`` where there is one alone."""
    further_parameters: int = 0
    """Of parts that have no module here."""
    unloaded_parameters: int = 0
    """Of parts that lie in the file and are not loaded."""

    @property
    def num_parameters(self) -> int:
        """Count the numbers of all parts."""
        return sum(p.numel() for m in self.modules.values() for p in m.parameters()) + self.further_parameters

    @property
    def num_stored(self) -> int:
        """Count the numbers that lie on disk."""
        return self.num_parameters + self.unloaded_parameters

    def num_bytes(self, dtype: str) -> int:
        """Return the memory that the weights take in a precision."""
        return self.num_parameters * BYTES_OF[dtype]


def build_skeleton(profile: Profile, role: str) -> Skeleton | None:
    """Build a role's model without numbers; None where no configuration of it is at hand.

    Raises:
        BadInputError: a configuration is no JSON object.
    """
    reference = profile.model(role)
    quiet_libraries()
    if role in PIPELINE_ROLES:
        return _pipeline(reference)
    build = _BUILDERS.get(role, _transformers_model)
    modules = build(reference)
    if modules is None:
        return None
    further = _adapter_parameters(profile) if role == "ip_adapter" else 0
    return Skeleton(role, modules, further, _classifier_parameters(reference) if role == "lpips" else 0)


def _pipeline(reference: ModelReference) -> Skeleton | None:
    from diffusers import AutoencoderKL, UNet2DConditionModel

    unet, vae = (read_configuration(reference, f"{part}/config.json") for part in ("unet", "vae"))
    if unet is None or vae is None:
        return None
    encoders = {p: read_configuration(reference, f"{p}/config.json") for p in ("text_encoder", "text_encoder_2")}
    with torch.device("meta"):
        modules: dict[str, Any] = {
            "unet": UNet2DConditionModel.from_config(unet),
            "vae": AutoencoderKL.from_config(vae),
            **{part: _text_encoder(config) for part, config in encoders.items() if config is not None},
        }
    return Skeleton(reference.role, {name: module.eval() for name, module in modules.items()})


def _text_encoder(config: dict[str, Any]) -> Any:
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    projects = "CLIPTextModelWithProjection" in config.get("architectures", ())
    return (CLIPTextModelWithProjection if projects else CLIPTextModel)(CLIPTextConfig(**_values(config)))


def _transformers_model(reference: ModelReference) -> dict[str, nn.Module] | None:
    import transformers
    from transformers import AutoConfig

    config = read_configuration(reference, "config.json")
    if config is None:
        return None
    classes = {
        "clip": transformers.CLIPModel,
        "vision_language_model": transformers.AutoModelForImageTextToText,
        "language_model": transformers.AutoModelForCausalLM,
        "instruction_model": transformers.AutoModelForCausalLM,
        "moderator": transformers.AutoModelForSequenceClassification,
        "dino": transformers.AutoModel,
        "detector": transformers.AutoModelForZeroShotObjectDetection,
        "depth": transformers.AutoModelForDepthEstimation,
        "task_predictor": transformers.AutoModelForSeq2SeqLM,
        "summarizer": transformers.AutoModelForSeq2SeqLM,
    }
    kind = str(config["model_type"])
    chosen: Any = {
        "video_llava": transformers.VideoLlavaForConditionalGeneration,
        "llava_next_video": transformers.LlavaNextVideoForConditionalGeneration,
    }.get(kind, classes.get(reference.role))
    if chosen is None:
        return None
    built = AutoConfig.for_model(kind, **_values(config))
    with torch.device("meta"):
        model: Any = chosen.from_config(built) if hasattr(chosen, "from_config") else chosen(built)
    # Grounding DINO makes some of its numbers on the CPU, wherever it is built.
    return {"model": model.to("meta").eval()}


def _controlnet(reference: ModelReference) -> dict[str, nn.Module] | None:
    from diffusers import ControlNetModel

    prefix = f"{reference.subfolder}/" if reference.subfolder else ""
    config = read_configuration(reference, f"{prefix}config.json")
    if config is None:
        return None
    with torch.device("meta"):
        model: Any = ControlNetModel.from_config(config)
    return {"model": model.eval()}


def _image_encoder(reference: ModelReference) -> dict[str, nn.Module] | None:
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    source = reference.image_encoder_reference()
    prefix = f"{source.subfolder}/" if source.subfolder else ""
    config = read_configuration(source, f"{prefix}config.json")
    if config is None:
        return None
    # A whole CLIP's configuration holds its tower's.
    vision = {**config.get("vision_config", {}), "projection_dim": config["projection_dim"]}
    values = vision if "vision_config" in config else config
    with torch.device("meta"):
        model = CLIPVisionModelWithProjection(CLIPVisionConfig(**_values(values)))
    return {"model": model.eval()}


def _sam(reference: ModelReference) -> dict[str, nn.Module] | None:
    from transformers import SamConfig

    from editfoundry.pretrained.segmenter import build_sam

    config = read_configuration(reference, "config.json")
    if config is None:
        return None
    parts = {name: value for name, value in config.items() if name.endswith("_config")}
    with torch.device("meta"):
        return {"model": build_sam(SamConfig(**parts)).eval()}


def _backbone(reference: ModelReference) -> dict[str, nn.Module] | None:
    import torchvision.models

    from editfoundry.pretrained.lpips import TAPS

    name = next((name for name in TAPS if reference.weight_name.startswith(name)), None)
    if name is None:
        return None
    with torch.device("meta"):
        return {"model": getattr(torchvision.models, name)(weights=None).features.eval()}


def _classifier_parameters(reference: ModelReference) -> int:
    """Count what a backbone's file holds beside its features."""
    import torchvision.models

    from editfoundry.pretrained.lpips import TAPS

    name = next(name for name in TAPS if reference.weight_name.startswith(name))
    with torch.device("meta"):
        whole = getattr(torchvision.models, name)(weights=None)
    return sum(p.numel() for p in whole.classifier.parameters())


_BUILDERS: dict[str, Callable[[ModelReference], dict[str, nn.Module] | None]] = {
    "controlnet_canny": _controlnet,
    "ip_adapter": _image_encoder,
    "segmenter": _sam,
    "lpips": _backbone,
}


def _adapter_parameters(profile: Profile) -> int:
    """Count what an IP-Adapter adds to the painter's UNet: keys and values of each cross-attention, and a projection.

    Of four tokens, as ``ip-adapter_sd15`` and ``ip-adapter_sdxl`` have.
    """
    if "text_to_image" not in profile.models:
        return 0
    painter, encoder = build_skeleton(profile, "text_to_image"), _image_encoder(profile.model("ip_adapter"))
    if painter is None or encoder is None:
        return 0
    unet: Any = painter.modules["unet"]
    layers = [module for name, module in unet.named_modules() if name.endswith("attn2")]
    width, dim = unet.config.cross_attention_dim, int(encoder["model"].config.projection_dim)  # type: ignore[union-attr, arg-type]
    projection = 4 * width * dim + 4 * width + 2 * width
    return projection + sum(2 * int(layer.to_k.weight.numel()) for layer in layers)


def _values(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration's own values: without what says which class and which library wrote it."""
    return {
        k: v for k, v in config.items() if not k.startswith("_") and k not in ("model_type", "transformers_version")
    }
