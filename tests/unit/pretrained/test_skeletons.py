"""Every configuration that the shipped profiles name, as a model of shapes: its names and its number of weights."""

from __future__ import annotations

import pytest

from editfoundry.pretrained.configurations import read_configuration
from editfoundry.pretrained.skeletons import build_skeleton
from editfoundry.profiles import PUBLISHED_FOLDER, load_profile

MILLIONS = {
    "stabilityai/stable-diffusion-xl-base-1.0": 2567.5 + 83.7 + 123.1 + 694.7,
    "diffusers/stable-diffusion-xl-1.0-inpainting-0.1": 2567.5 + 83.7 + 123.1 + 694.7,
    "diffusers/controlnet-canny-sdxl-1.0": 1251.0,
    "xinsir/controlnet-canny-sdxl-1.0": 1251.0,
    # Image encoder ViT-bigG, and an adapter of 703 MB in float16.
    "h94/IP-Adapter": 1844.9 + 351.3,
    "timbrooks/instruct-pix2pix": 859.5 + 83.7 + 123.1,
    "openai/clip-vit-large-patch14": 427.6,
    "laion/CLIP-ViT-H-14-laion2B-s32B-b79K": 986.1,
    "llava-hf/llava-1.5-7b-hf": 7063.4,
    "llava-hf/llava-onevision-qwen2-7b-ov-hf": 8030.0,
    "LanguageBind/Video-LLaVA-7B-hf": 7366.0,
    "llava-hf/LLaVA-NeXT-Video-7B-hf": 7063.4,
    "Qwen/Qwen3-8B": 8190.7,
    "facebook/sam-vit-huge": 641.1,
    "facebook/dino-vits16": 21.7,
    "facebook/dinov2-base": 86.6,
    "IDEA-Research/grounding-dino-base": 233.0,
    "Intel/dpt-large": 343.0,
    "depth-anything/Depth-Anything-V2-Large-hf": 335.3,
    # Its table of words, of 65.8, is counted once, as transformers ties it.
    "google/flan-t5-xl": 2849.8 - 65.8,
    # Its table of words, of 131.7, is counted once, as transformers ties it.
    "google/flan-t5-xxl": 11135.4 - 131.7,
}
"""As the models' cards and papers have them."""
PLAYED = [
    (name, role)
    for name in ("paper", "modern")
    for role, model in load_profile(name).models.items()
    if role != "lpips" and not model.is_endpoint
]


@pytest.mark.parametrize(("name", "role"), PLAYED)
def test_a_published_configuration_gives_a_model_of_the_published_size(name, role):
    profile = load_profile(name)
    skeleton = build_skeleton(profile, role)
    assert skeleton is not None
    assert skeleton.num_parameters / 1e6 == pytest.approx(MILLIONS[profile.model(role).source], rel=0.01)
    assert all(p.device.type == "meta" for m in skeleton.modules.values() for p in m.parameters())


def test_every_published_configuration_belongs_to_a_shipped_profile():
    known = {model.source for name in ("paper", "modern") for model in load_profile(name).models.values()}
    folders = {"/".join(path.relative_to(PUBLISHED_FOLDER).parts[:2]) for path in PUBLISHED_FOLDER.glob("*/*/")}
    assert folders == known & folders and len(folders) == len(MILLIONS)


def test_nothing_is_known_of_a_model_without_a_configuration(tmp_path):
    (tmp_path / "mine.toml").write_text("[clip]\nmodel = 'owner/name'\n[text_to_image]\nmodel = 'owner/name'\n")
    profile = load_profile(tmp_path / "mine.toml")
    assert build_skeleton(profile, "clip") is build_skeleton(profile, "text_to_image") is None
    assert read_configuration(profile.model("clip"), "config.json") is None
