"""DINO and DINOv2 in the hub's layout, against transformers' own plain use of the same model."""

import pytest
import torch
from tiny_models import tiny_image
from transformers import BitImageProcessor, Dinov2Config, Dinov2Model, ViTConfig, ViTImageProcessor, ViTModel

from editfoundry.errors import MissingModelError
from editfoundry.pretrained.dino import load_dino
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.profiles import load_profile

CPU = choose_runtime("cpu")
SIZE = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 32, "patch_size": 8}
SIDES = {"height": 32, "width": 32}
MODELS = {
    "dino": (lambda: ViTModel(ViTConfig(intermediate_size=32, **SIZE)), lambda: ViTImageProcessor(size=SIDES)),
    "dinov2": (
        lambda: Dinov2Model(Dinov2Config(**SIZE)),
        lambda: BitImageProcessor(size={"shortest_edge": 32}, crop_size=SIDES),
    ),
}


@pytest.mark.parametrize("kind", MODELS)
def test_pictures_get_the_class_token_at_unit_length(kind, tmp_path):
    torch.manual_seed(0)
    model, processor = (make() for make in MODELS[kind])
    for part in (model.eval(), processor):
        part.save_pretrained(tmp_path / "dino")
    (tmp_path / "mine.toml").write_text(f'[dino]\nmodel = "{tmp_path / "dino"}"')
    dino = load_dino(load_profile(tmp_path / "mine.toml"), CPU)
    images = [tiny_image(n, (40, 40)) for n in range(3)]
    with torch.inference_mode():
        states = model(**processor(images=images, return_tensors="pt")).last_hidden_state[:, 0]
    expected = torch.nn.functional.normalize(states, dim=-1)
    torch.testing.assert_close(dino.encode_images(images), expected, atol=1e-5, rtol=1e-4)


def test_a_missing_model_is_named_in_one_line(tmp_path):
    (tmp_path / "mine.toml").write_text("[dino]\nmodel = './gone'")
    with pytest.raises(MissingModelError, match="role 'dino'") as error:
        load_dino(load_profile(tmp_path / "mine.toml"), CPU)
    assert "\n" not in str(error.value)
