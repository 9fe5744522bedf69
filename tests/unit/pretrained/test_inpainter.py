"""The role inpainter opens any inpainting checkpoint whose UNet sees the mask, and nothing else."""

import pytest
from diffusers import StableDiffusionInpaintPipeline
from narrow_models import save_profile
from tiny_models import tiny_pipeline

from editfoundry.errors import BadInputError, MissingModelError
from editfoundry.pretrained.inpainter import load_inpainter
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.profiles import ModelReference, Profile, load_profile

RUNTIME = choose_runtime("cpu")


def profile_of(folder):
    return Profile(name="tiny", models={"inpainter": ModelReference(role="inpainter", source=str(folder))})


def save_inpainting(folder, in_channels):
    parts = tiny_pipeline(in_channels=in_channels).components
    parts.pop("image_encoder", None)
    StableDiffusionInpaintPipeline(**parts, requires_safety_checker=False).save_pretrained(folder)
    return folder


def test_a_checkpoint_of_nine_channels_is_opened(tmp_path):
    pipeline = load_inpainter(profile_of(save_inpainting(tmp_path / "sd", 9)), RUNTIME)
    assert isinstance(pipeline, StableDiffusionInpaintPipeline) and pipeline.unet.config.in_channels == 9


def test_a_unet_that_does_not_see_the_mask_and_another_class_are_refused_in_one_line(tmp_path):
    with pytest.raises(BadInputError, match="has 4 input channels, not 9"):
        load_inpainter(profile_of(save_inpainting(tmp_path / "four", 4)), RUNTIME)
    tiny_pipeline().save_pretrained(tmp_path / "editor")
    with pytest.raises(BadInputError, match="name one that is a StableDiffusionInpaintPipeline or a"):
        load_inpainter(profile_of(tmp_path / "editor"), RUNTIME)


def test_a_profile_without_one_and_a_model_that_is_not_here_are_told_how_to_get_it(tmp_path):
    with pytest.raises(MissingModelError, match="names no model for the role 'inpainter'"):
        load_inpainter(Profile(name="none", models={}), RUNTIME)
    with pytest.raises(MissingModelError, match="is not on this machine"):
        load_inpainter(profile_of(tmp_path / "nowhere"), RUNTIME)


@pytest.mark.slow
def test_the_shipped_profiles_name_one_that_the_loader_opens(tmp_path):
    assert load_profile("paper").model("inpainter") == load_profile("modern").model("inpainter")
    profile = load_profile(save_profile("modern", tmp_path))
    assert load_inpainter(profile, RUNTIME).unet.config.in_channels == 9
