"""What the loss of the joint training weighs, and what it learns from."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import CLIPTokenizer

from editfoundry.pretraining.diffusion import cached_latents
from editfoundry.pretraining.pretrain import pretrain
from editfoundry.pretraining.recipes.joint import (
    OBJECT_WEIGHT,
    SCENES,
    build_denoiser,
    draw,
    object_weights,
    take_over,
    training_edit,
    training_scene,
    weighted_loss,
)
from editfoundry.pretraining.recipes.vae import build_vae
from editfoundry.profiles import EMBEDDED_FOLDER
from editfoundry.tinyworld.edits import STATE_WORDINGS, Edit, state_wording
from editfoundry.tinyworld.scene_sampling import is_held_out


def test_places_that_differ_from_the_reference_weigh_more() -> None:
    reference = torch.zeros(1, 4, 2, 2)
    latents = reference.clone()
    latents[0, :, 1, 0] = 1.0
    assert object_weights(latents, reference).tolist() == [[[[1, 1], [OBJECT_WEIGHT, 1]]]]


def test_a_difference_too_small_to_be_an_object_weighs_nothing() -> None:
    reference = torch.zeros(1, 4, 2, 2)
    assert torch.equal(object_weights(reference + 0.1, reference), torch.ones(1, 1, 2, 2))


def test_equal_weights_give_the_mean_squared_error() -> None:
    error = torch.randn(3, 4, 5, 5, generator=torch.Generator().manual_seed(0))
    weights = torch.full((3, 1, 5, 5), 2.5)
    assert float(weighted_loss(error, weights)) == pytest.approx(float(error.square().mean()), rel=1e-5)


def test_an_error_where_the_weight_is_double_counts_double() -> None:
    weights = torch.tensor([[[[2.0, 1.0]]]])
    left, right = torch.zeros(1, 1, 1, 2), torch.zeros(1, 1, 1, 2)
    left[..., 0], right[..., 1] = 1.0, 1.0
    assert float(weighted_loss(left, weights)) == pytest.approx(2 * float(weighted_loss(right, weights)))


def test_a_denoiser_of_other_latents_takes_over_all_but_the_layers_that_see_them() -> None:
    tokenizer = CLIPTokenizer.from_pretrained(EMBEDDED_FOLDER / "text_to_image" / "tokenizer")
    old: Any = build_denoiser(tokenizer, 4, seed=0)
    new: Any = build_denoiser(tokenizer, 6, seed=1)
    before = {name: value.clone() for name, value in new.state_dict().items()}
    take_over(new, old)
    taken = {name for name, value in new.state_dict().items() if not torch.equal(value, before[name])}
    known = old.state_dict()
    assert all(torch.equal(new.state_dict()[name], known[name]) for name in taken)
    assert "unet.mid_block.attentions.0.proj_in.weight" in taken
    unlike = {name for name, value in before.items() if value.shape != known[name].shape}
    assert unlike == {"unet.conv_in.weight", "unet.conv_out.weight", "unet.conv_out.bias"}
    assert not unlike & taken


def test_pictures_that_were_drawn_ahead_are_the_ones_that_are_encoded(tmp_path: Path) -> None:
    scenes = [training_scene(number) for number in range(6)]
    vae = build_vae().eval()
    drawn_late = cached_latents(tmp_path / "late", SCENES, scenes, vae, torch.device("cpu"))
    draw(tmp_path, num_scenes=6, num_edits=2)
    ahead = sorted((tmp_path / "data").glob("*-pictures.npy"))
    assert [np.load(path).shape[0] for path in ahead] == [2, 2, 6]
    encoded = cached_latents(tmp_path / "data", SCENES, scenes, vae, torch.device("cpu"))
    assert np.abs(np.float32(encoded) - np.float32(drawn_late)).max() < 1e-2
    np.save(ahead[-1], np.zeros((6, 64, 64, 3), np.uint8))
    (tmp_path / "data" / Path(str(encoded.filename)).name).unlink()
    black = cached_latents(tmp_path / "data", SCENES, scenes, vae, torch.device("cpu"))
    assert np.abs(np.float32(black) - np.float32(black[:1])).max() < 1e-2


def test_a_quarter_of_the_edits_changes_a_state_by_its_name_alone() -> None:
    edits = [training_edit(number) for number in range(400)]
    bare = [edit for edit in edits if _names_a_state_alone(edit)]
    assert 60 <= len(bare) <= 160
    assert not any(is_held_out(edit.after) for edit in bare if edit.instruction.startswith("Turn "))


def _names_a_state_alone(edit: Edit) -> bool:
    if edit.index is None or edit.index >= len(edit.after.objects):
        return False
    before, after = edit.before.objects[edit.index], edit.after.objects[edit.index]
    wordings = {state_wording(wording, before, after) for wording in STATE_WORDINGS}
    return before.state != after.state and edit.instruction in wordings


def test_a_painter_that_is_trained_on_keeps_its_text_encoder_and_shares_its_unet_with_the_base(tmp_path: Path) -> None:
    pretrain("diffusion", tmp_path / "work", 1, "cpu", continue_shipped=True, out=tmp_path / "out", is_tracked=False,
             num_examples=4, settings={"batch_size": 4, "num_warmup_steps": 0})  # fmt: skip
    text, unet = "text_encoder/model.safetensors", "unet/diffusion_pytorch_model-0000{}-of-00003.safetensors"
    own, shipped = (
        {name: (place / "editor_base" / name).read_bytes() for name in (text, *map(unet.format, (1, 2, 3)))}
        for place in (tmp_path / "out", EMBEDDED_FOLDER)
    )
    assert {name for name in own if own[name] == shipped[name]} == {text}
    links = {name for name in own if (tmp_path / "out" / "text_to_image" / name).is_symlink()}
    assert links == {text, unet.format(2), unet.format(3)}
