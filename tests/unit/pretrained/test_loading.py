import pytest
import torch
from tiny_models import tiny_image
from tiny_painter import save_models

from editfoundry.errors import BadInputError, MissingModelError
from editfoundry.pretrained.clip import load_clip
from editfoundry.pretrained.editor import load_editor, load_editor_base
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.pretrained.text_to_image import load_text_to_image
from editfoundry.profiles import load_profile

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
