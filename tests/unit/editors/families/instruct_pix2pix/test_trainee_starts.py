from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from instruct_pix2pix_runs import loaded, unet_weights
from safetensors.torch import load_file
from tiny_emu_edit import save_editor
from tiny_models import tiny_pipeline

from editfoundry.editors.families.instruct_pix2pix.training_config import InstructPix2PixTraining as Training
from editfoundry.editors.train import train_editor
from editfoundry.errors import BadInputError


@pytest.mark.parametrize("settings", [{}, {"from_scratch": True}, {"lora_rank": 2}], ids=str)
def test_what_an_emu_edit_editor_is_told_tasks_by_is_left_as_it_is(
    config: Training, tmp_path: Path, settings: dict[str, Any]
) -> None:
    """Where several processes train, each waits for the gradient of everything that trains."""
    start = save_editor(tmp_path / "emu")
    trainee = loaded(replace(config, editor=str(start), **settings))
    unet = trainee.pipeline.unet
    trainee.loss([unet], trainee.batch(0, slice(0, 4))).backward()
    training = {name for name, weight in unet.named_parameters() if weight.requires_grad}
    assert training == {name for name, weight in unet.named_parameters() if weight.grad is not None}
    assert unet.time_embedding.cond_proj is not None


def test_a_text_to_image_model_is_widened_and_its_text_encoder_can_train(config: Training) -> None:
    base = Path(config.editor).with_name("narrow")
    tiny_pipeline(in_channels=4).save_pretrained(base)
    wide = replace(
        config,
        editor=str(base),
        output=config.output.with_name("wide"),
        num_steps=2,
        train_text_encoder=True,
        use_ema=False,
    )
    train_editor(wide)
    assert unet_weights(wide)["conv_in.weight"].shape[1] == 8
    name = "text_encoder/model.safetensors"
    before, after = load_file(base / name), load_file(wide.output / name)
    assert any(not torch.equal(before[key], after[key]) for key in before)


def test_a_training_from_scratch_takes_only_the_editors_other_parts(config: Training) -> None:
    seeded = replace(config, seed=11)
    trainee, started = loaded(replace(seeded, from_scratch=True)), loaded(seeded)
    assert not torch.equal(trainee.pipeline.unet.conv_out.weight, started.pipeline.unet.conv_out.weight)
    for part in ("vae", "text_encoder"):
        fresh, given = (getattr(found.pipeline, part).parameters() for found in (trainee, started))
        assert all(map(torch.equal, fresh, given))


def test_random_image_channels_are_for_a_unet_that_is_widened_alone(config: Training, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="sees pictures already"):
        loaded(replace(config, image_channels="random"))
    tiny_pipeline(in_channels=4).save_pretrained(tmp_path / "painter")
    painter = replace(config, editor=str(tmp_path / "painter"))
    zero, random = (loaded(replace(painter, image_channels=start)).pipeline.unet for start in ("zero", "random"))
    assert not zero.conv_in.weight[:, 4:].any() and bool(random.conv_in.weight[:, 4:].any())


def test_settings_of_what_a_training_starts_from_leave_the_fingerprint_of_others_alone(config: Training) -> None:
    told = config.as_dict()
    assert not {"image_channels", "from_scratch", "augment_apart"} & set(told)
    assert replace(config, from_scratch=True).as_dict()["from_scratch"]
    for changes, said in (({"image_channels": "ones"}, "one of zero, random"), ({"augment_apart": True}, "mirrored")):
        with pytest.raises(BadInputError, match=said):
            replace(config, **changes)
