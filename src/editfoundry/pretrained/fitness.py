"""Whether models can do what a stage asks of them, told from the profile and from configuration files alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from editfoundry.errors import refuse
from editfoundry.pretrained.configurations import attention_sides, read_configuration
from editfoundry.profiles import Profile

KNOWN_TYPES = {
    "text_to_image": ("StableDiffusionPipeline", "StableDiffusionXLPipeline"),
    "inpainter": ("StableDiffusionInpaintPipeline", "StableDiffusionXLInpaintPipeline"),
    "vision_language_model": ("llava", "llava_onevision"),
    "video_language_model": ("video_llava", "llava_next_video"),
    "detector": ("grounding-dino",),
    "summarizer": ("t5",),
    "depth": ("dpt", "depth_anything"),
}
"""Role -> classes of ``model_index.json``, or model types of ``config.json``, that its code knows."""
CONTROLNET_SHARES = ("in_channels", "block_out_channels", "cross_attention_dim", "addition_embed_type")
"""Settings that a ControlNet has in common with the UNet that it was trained for."""


def check_models(profile: Profile, roles: Iterable[str]) -> None:
    """Refuse a profile that lacks one of the roles, or whose model for one its code cannot use.

    Raises:
        BadInputError: one line for each that is wrong.
    """
    wanted = list(roles)
    refuse(
        [*_missing(profile, wanted), *(p for role in wanted if role in profile.models for p in _unfit(profile, role))]
    )


def check_caption_judge(profile: Profile) -> None:
    """Refuse a profile whose vision-language model cannot tell how likely a caption is.

    Raises:
        BadInputError: it is an endpoint.
    """
    role = "vision_language_model"
    if profile.model(role).is_endpoint:
        refuse(
            [
                f"caption_contrast is set, but {role} is an endpoint, which does not tell how likely a text is that "
                "it has not written: name a local model, or leave caption_contrast out"
            ]
        )


def check_attention_resolution(profile: Profile, resolution: int) -> None:
    """Refuse a resolution at which no cross-attention layer of the profile's painter works.

    Raises:
        BadInputError: there is none; a painter whose configuration is not at hand is taken on trust.
    """
    if "text_to_image" not in profile.models:
        return
    sides = attention_sides(profile.model("text_to_image"))
    if sides is not None and resolution not in sides:
        known = " or ".join(map(str, sides))
        refuse(
            [
                f"attention_resolution is {resolution}, at which no cross-attention layer of "
                f"{profile.model('text_to_image')} works; use {known}"
            ]
        )


def _missing(profile: Profile, roles: Iterable[str]) -> Iterator[str]:
    for role in roles:
        if role not in profile.models:
            yield f"profile {profile.name!r} names no model for the role {role!r}: add it to its TOML file"


def _unfit(profile: Profile, role: str) -> Iterator[str]:
    reference = profile.model(role)
    known = KNOWN_TYPES.get(role)
    if known is not None:
        found = _type_of(profile, role)
        if found is not None and found not in known:
            yield f"role {role!r}: model {reference} is a {found}; name one that is a {' or a '.join(known)}"
    if role == "ip_adapter" and not reference.weight_name.endswith(".safetensors"):
        yield f"role 'ip_adapter': {reference} needs a weight_name that ends in .safetensors; nothing is unpickled"
    if role == "controlnet_canny" and "text_to_image" in profile.models:
        yield from _of_another_unet(profile)


def _type_of(profile: Profile, role: str) -> str | None:
    for file, key in (("model_index.json", "_class_name"), ("config.json", "model_type")):
        config = read_configuration(profile.model(role), file)
        if config is not None and isinstance(config.get(key), str):
            return str(config[key])
    return None


def _of_another_unet(profile: Profile) -> Iterator[str]:
    reference = profile.model("controlnet_canny")
    prefix = f"{reference.subfolder}/" if reference.subfolder else ""
    ours = read_configuration(reference, f"{prefix}config.json")
    theirs = read_configuration(profile.model("text_to_image"), "unet/config.json")
    for name in CONTROLNET_SHARES if ours and theirs else ():
        mine, its = _setting(ours, name), _setting(theirs, name)
        if mine != its:
            yield (
                f"role 'controlnet_canny': model {reference} has {name} {mine} and the text_to_image model {its}; name "
                "one that was trained for it"
            )
            return


def _setting(config: dict[str, Any] | None, name: str) -> Any:
    value = (config or {}).get(name)
    return list(value) if isinstance(value, (list, tuple)) else value
