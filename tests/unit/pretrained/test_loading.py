import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers import StableDiffusionImg2ImgPipeline, StableDiffusionPipeline
from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
from safetensors.torch import load_file, save_file
from tiny_models import tiny_image, tiny_pipeline
from tiny_painter import save_models, tiny_painter
from tiny_sdxl import PAINTERS, save_branch, sdxl_unet, tiny_controlnet
from transformers import CLIPConfig, CLIPImageProcessor

from editfoundry.editors.families.instruct_pix2pix.trainee import load_editor_to_train
from editfoundry.errors import BadInputError, MissingModelError
from editfoundry.pretrained.clip import load_clip
from editfoundry.pretrained.controlnet_canny import load_controlnet_canny
from editfoundry.pretrained.diffusers_pipeline import open_pipeline
from editfoundry.pretrained.editor_base import load_editor, load_editor_base
from editfoundry.pretrained.ip_adapter import load_ip_adapter
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.pretrained.text_to_image import load_text_to_image
from editfoundry.profiles import ModelReference, Profile, load_profile

CPU = choose_runtime("cpu")
LOADERS = {"clip": load_clip, "text_to_image": load_text_to_image, "editor_base": load_editor_base}
TRAINED_AS = {"clip": "clip", "text_to_image": "diffusion", "editor_base": "diffusion"}


@pytest.fixture(scope="module")
def profile(tmp_path_factory):
    return load_profile(save_models(tmp_path_factory.mktemp("models")))


@pytest.mark.parametrize("role", LOADERS)
def test_a_model_that_the_package_lacks_is_named_with_the_command_that_makes_it(tmp_path, role):
    (tmp_path / "mine.toml").write_text(f"[{role}]\nmodel = 'package:nothing'")
    with pytest.raises(MissingModelError) as error:
        LOADERS[role](load_profile(tmp_path / "mine.toml"), CPU)
    message = str(error.value)
    assert f"role '{role}'" in message and "package:nothing@main" in message
    assert message.endswith(f"editfoundry tinyworld pretrain {TRAINED_AS[role]}") and "\n" not in message


def test_a_folder_that_is_gone_is_named(tmp_path):
    (tmp_path / "mine.toml").write_text(f"[clip]\nmodel = '{tmp_path / 'gone'}'")
    with pytest.raises(MissingModelError, match=f"no folder {tmp_path / 'gone'}"):
        load_clip(load_profile(tmp_path / "mine.toml"), CPU)


def test_an_editor_is_a_diffusers_folder(tmp_path, profile):
    with pytest.raises(BadInputError, match="no editor here: expected a diffusers folder with model_index.json"):
        load_editor(tmp_path, CPU)
    assert load_editor(profile.model("editor_base").location, CPU).unet.config.in_channels == 8


def test_no_editor_and_no_painter_has_a_safety_checker_whatever_its_checkpoint_brings(tmp_path):
    folders = {"base": tiny_pipeline(), "painter": tiny_painter()}
    for name, pipeline in folders.items():
        checker = StableDiffusionSafetyChecker(
            CLIPConfig(
                text_config={"num_hidden_layers": 1, "hidden_size": 8, "num_attention_heads": 1, "vocab_size": 8},
                vision_config={"num_hidden_layers": 1, "hidden_size": 8, "num_attention_heads": 1, "image_size": 32},
                projection_dim=8,
            )
        )
        pipeline.register_modules(safety_checker=checker, feature_extractor=CLIPImageProcessor())
        pipeline.save_pretrained(tmp_path / name)
    painter = ModelReference(role="text_to_image", source=str(tmp_path / "painter"))
    opened = [
        load_editor(tmp_path / "base", CPU),
        load_editor_to_train(str(tmp_path / "base"))[0],
        open_pipeline(StableDiffusionPipeline, painter, CPU),
        open_pipeline(StableDiffusionImg2ImgPipeline, painter, CPU),
    ]
    assert [pipeline.safety_checker for pipeline in opened] == [None] * 4


def test_clip_embeds_with_unit_norm_in_batches_as_one_by_one(profile):
    clip = load_clip(profile, CPU)
    images = [tiny_image(seed, (40, 24)) for seed in range(3)]
    together, apart = clip.encode_images(images), torch.cat([clip.encode_images([image]) for image in images])
    assert together.shape == (3, 16) and together.dtype == torch.float32
    torch.testing.assert_close(together, apart, atol=1e-5, rtol=1e-5)
    texts = ["a cat", "a long caption " * 10, ""]
    embeds = clip.encode_texts(texts)
    torch.testing.assert_close(embeds.norm(dim=-1), torch.ones(3))
    torch.testing.assert_close(embeds, torch.cat([clip.encode_texts([text]) for text in texts]), atol=1e-5, rtol=1e-5)


def test_clip_embeds_as_transformers_own_features(profile):
    clip = load_clip(profile, CPU)
    batch = clip.processor(text=["a cat"], images=[tiny_image(0)], return_tensors="pt", padding=True)
    with torch.no_grad():
        output = clip.model(**batch)
    torch.testing.assert_close(clip.encode_images([tiny_image(0)]), output.image_embeds, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(clip.encode_texts(["a cat"]), output.text_embeds, atol=1e-5, rtol=1e-5)


def test_nothing_embeds_to_nothing(profile):
    clip = load_clip(profile, CPU)
    assert clip.encode_images([]).shape == clip.encode_texts([]).shape == (0, 16)


@pytest.mark.parametrize(("device", "dtype"), [("gpu", "auto"), ("cpu", "int8")])
def test_an_unknown_device_or_precision_is_bad_input(device, dtype):
    with pytest.raises(BadInputError):
        choose_runtime(device, dtype)


@pytest.fixture(scope="module", params=["sd", "sdxl"])
def branch_profile(request, tmp_path_factory):
    return load_profile(save_branch(tmp_path_factory.mktemp(request.param), PAINTERS[request.param]()))


def changed(profile, role, **changes):
    return Profile(name="changed", models={**profile.models, role: replace(profile.model(role), **changes)})


def test_a_checkpoint_is_opened_as_the_class_that_its_index_names(branch_profile):
    painter = load_text_to_image(branch_profile, CPU)
    index = json.loads((Path(branch_profile.model("text_to_image").location) / "model_index.json").read_text())
    assert type(painter).__name__ == index["_class_name"]


def test_a_checkpoint_of_another_class_is_named(profile):
    editor = Profile(name="x", models={"text_to_image": profile.model("editor_base")})
    with pytest.raises(BadInputError, match="is a StableDiffusionInstructPix2PixPipeline; name one that is a") as error:
        load_text_to_image(editor, CPU)
    assert "\n" not in str(error.value) and "role 'text_to_image'" in str(error.value)


def test_text_encoders_under_their_published_tensor_names_are_read(branch_profile, tmp_path):
    folder = tmp_path / "painter"
    shutil.copytree(branch_profile.model("text_to_image").location, folder)
    for encoder in folder.glob("text_encoder*"):
        tensors = load_file(encoder / "model.safetensors")
        published = {k if k.startswith("text_") else f"text_model.{k}": v for k, v in tensors.items()}
        assert "text_model.embeddings.token_embedding.weight" in published
        save_file(published, encoder / "model.safetensors", metadata={"format": "pt"})
    renamed = load_text_to_image(changed(branch_profile, "text_to_image", source=str(folder)), CPU)
    original = load_text_to_image(branch_profile, CPU)
    for first, second in zip(renamed.text_encoder.parameters(), original.text_encoder.parameters(), strict=True):
        assert torch.equal(first, second)


def test_loading_an_adapter_leaves_the_painter_as_it_was(branch_profile):
    painter = load_text_to_image(branch_profile, CPU)
    names, parts = list(painter.unet.state_dict()), dict(painter.components)
    adapter = load_ip_adapter(branch_profile, CPU, painter)
    assert list(painter.unet.state_dict()) == names and dict(painter.components) == parts
    assert painter.unet.config.encoder_hid_dim_type is None
    with adapter.applied(0.5):
        assert painter.unet.config.encoder_hid_dim_type == "ip_image_proj"


def test_an_adapters_tensors_are_those_of_its_file(branch_profile):
    painter = load_text_to_image(branch_profile, CPU)
    adapter = load_ip_adapter(branch_profile, CPU, painter)
    file = Path(branch_profile.model("ip_adapter").location) / "sdxl_models" / "ip-adapter_sdxl.safetensors"
    tensors = load_file(file)
    names = list(painter.unet.attn_processors)
    for number, name in enumerate(names):
        if f"ip_adapter.{number}.to_k_ip.weight" in tensors:
            processor = adapter.processors[name]
            assert torch.equal(processor.to_k_ip[0].weight, tensors[f"ip_adapter.{number}.to_k_ip.weight"])
            assert torch.equal(processor.to_v_ip[0].weight, tensors[f"ip_adapter.{number}.to_v_ip.weight"])
    assert sum(hasattr(p, "to_k_ip") for p in adapter.processors.values()) == sum("to_k_ip" in key for key in tensors)


def test_an_adapter_without_safetensors_is_refused_and_a_missing_one_named(branch_profile):
    painter = load_text_to_image(branch_profile, CPU)
    with pytest.raises(BadInputError, match="weight_name that ends in .safetensors; nothing is unpickled"):
        load_ip_adapter(changed(branch_profile, "ip_adapter", weight_name="ip-adapter_sdxl.bin"), CPU, painter)
    with pytest.raises(MissingModelError, match="role 'ip_adapter'"):
        load_ip_adapter(changed(branch_profile, "ip_adapter", weight_name="other.safetensors"), CPU, painter)
    with pytest.raises(MissingModelError, match="role 'ip_adapter'"):
        load_ip_adapter(changed(branch_profile, "ip_adapter", subfolder="models"), CPU, painter)


def test_models_for_another_unet_are_refused_and_the_painter_stays_as_it_was(tmp_path):
    painter = tiny_painter()
    names = list(painter.unet.state_dict())
    profile = load_profile(save_branch(tmp_path, PAINTERS["sdxl"]()))
    with pytest.raises(BadInputError, match="does not fit the text_to_image model"):
        load_ip_adapter(profile, CPU, painter)
    assert list(painter.unet.state_dict()) == names and painter.unet.encoder_hid_proj is None
    with pytest.raises(BadInputError, match="role 'controlnet_canny'.*cross_attention_dim 40 and the text_to_image"):
        load_controlnet_canny(profile, CPU, painter.unet)


def test_a_controlnet_may_lie_in_a_subfolder(tmp_path):
    unet = sdxl_unet()
    tiny_controlnet(unet).save_pretrained(tmp_path / "repository" / "canny")
    (tmp_path / "mine.toml").write_text(f"[controlnet_canny]\nmodel = '{tmp_path}/repository'\nsubfolder = 'canny'")
    controlnet = load_controlnet_canny(load_profile(tmp_path / "mine.toml"), CPU, unet)
    assert torch.equal(controlnet.controlnet_mid_block.weight, tiny_controlnet(unet).controlnet_mid_block.weight)
