import importlib.util
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from diffusers import AutoencoderKL, StableDiffusionInstructPix2PixPipeline
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from instruct_pix2pix_runs import DEFAULTS, UNET_WEIGHTS, curve, loaded, stop_after, unet_weights
from PIL import Image
from safetensors.torch import load_file, save_file
from tiny_models import psnr, tiny_image, tiny_pipeline, write_dataset

from editfoundry.data.record import Triplet
from editfoundry.data.shards import write_triplets
from editfoundry.editors.editing_defaults import read_editing_defaults
from editfoundry.editors.families.instruct_pix2pix.sampling import edit_images
from editfoundry.editors.families.instruct_pix2pix.trainee import InstructPix2PixTrainee, switch_on
from editfoundry.editors.families.instruct_pix2pix.training_config import InstructPix2PixTraining as Training
from editfoundry.editors.train import train_editor
from editfoundry.errors import BadInputError
from editfoundry.training.failures import TrainingInterrupted
from editfoundry.training.fingerprint import is_trained
from editfoundry.training.resume_folder import saved_steps


def eightfold_vae() -> AutoencoderKL:
    """An autoencoder with eight pixels to a latent, as published ones have."""
    torch.manual_seed(2)
    return AutoencoderKL(
        block_out_channels=(8,) * 4,
        norm_num_groups=8,
        latent_channels=4,
        sample_size=256,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
    )


def flat_unet(folder: Path) -> torch.Tensor:
    return torch.cat([value.double().flatten() for _, value in sorted(load_file(folder / UNET_WEIGHTS).items())])


def relative_distance(one: Training, other: Training) -> float:
    """How far apart two runs end, as a share of how far ``other`` went from the base."""
    straight = flat_unet(other.output)
    return float((flat_unet(one.output) - straight).norm() / (straight - flat_unet(Path(other.editor))).norm())


@pytest.fixture(scope="module")
def trained(config: Training) -> Training:
    train_editor(config)
    return config


def test_the_loss_is_that_of_scaled_output_latents_beside_the_inputs_own(config: Training) -> None:
    plain = replace(config, conditioning_dropout=0.0, change_weight=3.0)
    trainee = InstructPix2PixTrainee.load(plain, Accelerator(cpu=True))
    unet, vae, scheduler = trainee.pipeline.unet, trainee.pipeline.vae, trainee.scheduler
    batch, seen = trainee.batch(0, slice(0, 4)), []
    unet.register_forward_hook(lambda _, args, found: seen.append((args[0], found[0])))
    loss = trainee.loss([unet], batch)
    modes, moments = batch.pictures
    posterior = DiagonalGaussianDistribution(moments)
    outputs = posterior.mean + posterior.std * batch.posterior_noise
    latents = vae.config.scaling_factor * outputs
    [(sample, prediction)] = seen
    assert vae.config.scaling_factor == 0.5
    torch.testing.assert_close(sample[:, :4], scheduler.add_noise(latents, batch.noise, batch.timesteps))
    torch.testing.assert_close(sample[:, 4:], modes)
    # Where the pair's scaled latents differ by a quarter, an error weighs three times as much.
    weights = torch.where(((outputs - modes) * 0.5).abs().mean(1, keepdim=True) > 0.25, 3.0, 1.0)
    errors = (prediction - scheduler.get_velocity(latents, batch.noise, batch.timesteps)).square()
    torch.testing.assert_close(loss, (errors * weights).mean())
    assert 0 < (weights > 1).float().mean()


def test_a_trained_editor_says_about_editing_what_the_one_it_was_trained_from_says(trained: Training) -> None:
    assert read_editing_defaults(trained.output) == DEFAULTS


def test_a_stopped_and_resumed_run_equals_a_straight_one(trained: Training) -> None:
    resumed = replace(trained, output=trained.output.with_name("resumed"))
    with pytest.raises(TrainingInterrupted, match="after step 3 of 6"):
        train_editor(resumed, should_stop=stop_after(3))
    assert [path.name for path in saved_steps(resumed.output)] == ["step-3"]
    assert not is_trained(resumed)
    train_editor(resumed)
    assert curve(resumed) == pytest.approx(curve(trained), abs=1e-6)
    assert relative_distance(resumed, trained) < 1e-6
    assert not (resumed.output / ".resume").exists()


def test_accumulation_changes_memory_but_not_the_result(trained: Training) -> None:
    parts = replace(trained, output=trained.output.with_name("parts"), gradient_accumulation_steps=2)
    train_editor(parts)
    assert curve(parts) == pytest.approx(curve(trained), abs=1e-4)
    assert relative_distance(parts, trained) < 0.01
    # The same measure tells apart two runs that differ in their samples.
    reseeded = replace(trained, output=trained.output.with_name("reseeded"), seed=1)
    train_editor(reseeded)
    assert relative_distance(reseeded, trained) > 0.1


def test_the_checkpoint_opens_in_plain_diffusers_and_gives_the_same_picture(trained: Training) -> None:
    pipeline = StableDiffusionInstructPix2PixPipeline.from_pretrained(trained.output)
    pipeline.set_progress_bar_config(disable=True)
    image: Image.Image = tiny_image(9)
    generator = torch.Generator().manual_seed(1)
    expected = pipeline("melt it", image, num_inference_steps=3, generator=generator).images[0]
    [found] = edit_images(pipeline, [image], ["melt it"], seeds=[1], num_inference_steps=3)
    assert psnr(found, expected) >= 40


def test_training_changes_the_unet_and_nothing_else(trained: Training) -> None:
    base = Path(trained.editor)
    for name in ("vae/diffusion_pytorch_model.safetensors", "text_encoder/model.safetensors"):
        before, after = load_file(base / name), load_file(trained.output / name)
        assert all(torch.equal(before[key], after[key]) for key in before)
    before, after = load_file(base / UNET_WEIGHTS), unet_weights(trained)
    assert before.keys() == after.keys()
    assert any(not torch.equal(before[key], after[key]) for key in before)


def test_the_summary_tells_speed_settings_and_data(trained: Training) -> None:
    summary = json.loads((trained.output / "training.json").read_text())
    assert (summary["num_steps"], summary["num_triplets"], len(summary["loss_curve"])) == (6, 8, 6)
    assert summary["samples_per_second"] > 0 and summary["config"]["learning_rate"] == 1e-3
    assert len(summary["dataset_hash"]) == 64


def test_a_finished_checkpoint_is_not_trained_again_until_a_setting_changes(trained: Training) -> None:
    written = (trained.output / "training.json").stat().st_mtime_ns
    train_editor(trained)
    assert (trained.output / "training.json").stat().st_mtime_ns == written
    assert is_trained(replace(trained, log_every=5))
    assert not is_trained(replace(trained, learning_rate=2e-3))


def test_a_checkpoint_of_other_settings_is_named_and_kept(trained: Training) -> None:
    first = replace(trained, output=trained.output.with_name("changed"), num_steps=3, checkpoint_every=1)
    with pytest.raises(TrainingInterrupted):
        train_editor(first, should_stop=stop_after(2))
    assert [path.name for path in saved_steps(first.output)] == ["step-1", "step-2"]
    with pytest.raises(
        BadInputError, match=r"step-2 is of a run with another learning_rate \(0.001 then, 0.0005 now\)"
    ):
        train_editor(replace(first, learning_rate=5e-4))
    # Where it goes, and how, may change; and what was kept is good.
    train_editor(replace(first, checkpoint_every=2, gradient_accumulation_steps=2))
    assert len(curve(first)) == 3


def test_without_the_latent_cache_the_losses_are_the_same(trained: Training) -> None:
    flipped = replace(trained, horizontal_flip=True, output=trained.output.with_name("cached"))
    train_editor(flipped)
    work_dir = trained.work_dir.with_name("uncached")
    encoded = replace(flipped, output=trained.output.with_name("encoded"), cache_latents=False, work_dir=work_dir)
    train_editor(encoded)
    assert [path.name[:5] for path in work_dir.iterdir()] == ["texts"]
    assert curve(encoded) == pytest.approx(curve(flipped), abs=1e-5)
    assert relative_distance(encoded, flipped) < 0.01


def test_another_data_set_or_autoencoder_gets_a_cache_of_its_own(trained: Training, tmp_path: Path) -> None:
    short = replace(trained, num_steps=1, work_dir=tmp_path / "work", output=tmp_path / "first")
    train_editor(short)
    assert len(list(short.work_dir.glob("latents-*"))) == 1
    train_editor(replace(short, output=tmp_path / "again", learning_rate=1e-4))
    assert len(list(short.work_dir.glob("latents-*"))) == 1
    train_editor(replace(short, output=tmp_path / "other-data", dataset=write_dataset(tmp_path / "data", (3,))))
    assert len(list(short.work_dir.glob("latents-*"))) == 2
    base = tmp_path / "base"
    shutil.copytree(trained.editor, base)
    weights = load_file(base / "vae/diffusion_pytorch_model.safetensors")
    weights["quant_conv.bias"] += 1
    save_file(weights, base / "vae/diffusion_pytorch_model.safetensors", metadata={"format": "pt"})
    train_editor(replace(short, output=tmp_path / "other-vae", editor=str(base)))
    assert len(list(short.work_dir.glob("latents-*"))) == 3 and len(list(short.work_dir.glob("texts-*"))) == 2


def test_gradient_checkpointing_changes_memory_but_not_the_result(trained: Training) -> None:
    checkpointed = replace(trained, output=trained.output.with_name("checkpointed"), gradient_checkpointing=True)
    train_editor(checkpointed)
    assert curve(checkpointed) == pytest.approx(curve(trained), abs=1e-5)


def test_bf16_learns_about_the_same(trained: Training) -> None:
    half = replace(trained, output=trained.output.with_name("bf16"), mixed_precision="bf16")
    # Accelerate keeps one precision a process.
    AcceleratorState._reset_state(reset_partial_state=True)
    train_editor(half)
    AcceleratorState._reset_state(reset_partial_state=True)
    assert curve(half) == pytest.approx(curve(trained), rel=0.05)
    assert curve(half) != curve(trained)


def test_lora_trains_few_weights_and_is_merged_and_kept_apart(trained: Training) -> None:
    lora = replace(
        trained, output=trained.output.with_name("lora"), lora_rank=2, learning_rate=1e-2, checkpoint_every=4
    )
    with pytest.raises(TrainingInterrupted):
        train_editor(lora, should_stop=stop_after(4))
    train_editor(lora)
    before, after = load_file(Path(lora.editor) / UNET_WEIGHTS), unet_weights(lora)
    assert before.keys() == after.keys()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed and all(any(part in name for part in ("to_q", "to_k", "to_v", "to_out")) for name in changed)
    pipeline = StableDiffusionInstructPix2PixPipeline.from_pretrained(lora.editor)
    pipeline.load_lora_weights(lora.output / "lora")
    pipeline.fuse_lora()
    pipeline.unload_lora_weights()
    torch.testing.assert_close(pipeline.unet.state_dict(), {k: v.to(torch.float32) for k, v in after.items()})
    straight = replace(lora, output=trained.output.with_name("lora-straight"))
    train_editor(straight)
    assert relative_distance(lora, straight) < 1e-5


def test_lora_that_was_spread_over_processes_is_saved_as_it_is_from_one(config: Training, tmp_path: Path) -> None:
    trainee = loaded(replace(config, lora_rank=2, lora_alpha=6))
    for name, weight in trainee.pipeline.unet.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight)
    whole = {name: value.clone() for name, value in trainee.pipeline.unet.state_dict().items()}
    for place, gathered in (("one", None), ("spread", [whole])):
        trainee.save(tmp_path / place, gathered)
    for name in (UNET_WEIGHTS, "lora/pytorch_lora_weights.safetensors"):
        one, spread = (load_file(tmp_path / place / name) for place in ("one", "spread"))
        assert one.keys() == spread.keys() and all(torch.equal(one[key], spread[key]) for key in one)


def test_pairs_of_several_aspect_ratios_train_each_at_its_own_and_edits_keep_the_area(
    config: Training, tmp_path: Path
) -> None:
    sizes = [(64, 64), (128, 72), (128, 72), (72, 128)]
    triplets = [
        Triplet(instruction="melt it", input_image=tiny_image(n, size), output_image=tiny_image(n + 9, size))
        for n, size in enumerate(sizes)
    ]
    write_triplets(tmp_path / "data" / "00000.tar", triplets)
    pipeline = tiny_pipeline(prediction_type="v_prediction")
    pipeline.register_modules(vae=eightfold_vae())
    pipeline.save_pretrained(tmp_path / "base")
    wide = replace(
        config,
        editor=str(tmp_path / "base"),
        dataset=tmp_path / "data",
        validation_dataset=tmp_path / "data",
        output=tmp_path / "wide",
        resolution=256,
        aspect_ratios=True,
        batch_size=1,
        num_steps=4,
        sample_every=4,
        num_samples=1,
        validate_every=4,
    )
    train_editor(wide)
    points = json.loads((wide.output / "training.json").read_text())["validation_losses"]
    assert len(points) == 1 and points[0][1] > 0
    with Image.open(wide.output / "samples" / "step-00000004.png") as grid:
        assert grid.size == (3 * 320, 192)
    assert read_editing_defaults(wide.output).area_side == 256
    cached = sorted(path.name for path in wide.work_dir.glob("latents-*/*x*"))
    assert {"192x320", "256x256", "320x192"} <= set(cached)
    uncached = replace(wide, output=tmp_path / "uncached", cache_latents=False)
    train_editor(uncached)
    assert curve(uncached) == pytest.approx(curve(wide), abs=1e-4)


def test_a_resolution_that_has_no_aspect_ratios_is_named(config: Training) -> None:
    with pytest.raises(BadInputError, match="resolution is 32, but must be one of 256, 512, 768, 1024"):
        train_editor(replace(config, aspect_ratios=True, output=config.output.with_name("odd")))


def test_compilation_is_switched_on_without_changing_names_of_weights(config: Training) -> None:
    pipeline = tiny_pipeline()
    names = set(pipeline.unet.state_dict())
    switch_on(pipeline, replace(config, compile_unet=True), was_widened=False)
    assert pipeline.unet._compiled_call_impl is not None and set(pipeline.unet.state_dict()) == names


def test_eight_bit_adam_without_its_package_is_one_clear_line(config: Training) -> None:
    if importlib.util.find_spec("bitsandbytes") is not None:
        pytest.skip("bitsandbytes is installed")
    with pytest.raises(BadInputError, match="needs the package bitsandbytes: pip install bitsandbytes"):
        train_editor(replace(config, optimizer="adamw_8bit", output=config.output.with_name("8bit")))


def test_zero_terminal_snr_and_min_snr_train_and_the_checkpoint_samples_from_pure_noise(config: Training) -> None:
    base = Path(config.editor).with_name("epsilon")
    tiny_pipeline().save_pretrained(base)
    zero = replace(
        config,
        editor=str(base),
        output=config.output.with_name("zero"),
        zero_terminal_snr=True,
        snr_gamma=5.0,
        prediction_type="v_prediction",
        num_steps=2,
    )
    train_editor(zero)
    scheduler = StableDiffusionInstructPix2PixPipeline.from_pretrained(zero.output).scheduler
    assert float(scheduler.alphas_cumprod[-1]) < 1e-6 and scheduler.config.prediction_type == "v_prediction"


def test_validation_and_samples_are_the_same_however_often_a_run_is_stopped(trained: Training) -> None:
    watched = replace(
        trained,
        output=trained.output.with_name("watched"),
        validation_dataset=trained.dataset,
        validate_every=2,
        num_validation_samples=5,
        sample_every=3,
        num_samples=2,
        checkpoint_every=100,
    )
    with pytest.raises(TrainingInterrupted):
        train_editor(watched, should_stop=stop_after(3))
    train_editor(watched)
    # Looking at a run does not change it.
    assert curve(watched) == pytest.approx(curve(trained), abs=1e-6)
    points = json.loads((watched.output / "training.json").read_text())["validation_losses"]
    assert [step for step, _ in points] == [2, 4, 6] and len({loss for _, loss in points}) == 3
    for step in (3, 6):
        with Image.open(watched.output / "samples" / f"step-{step:08}.png") as grid:
            assert grid.size == (96, 64)
    again = replace(watched, output=trained.output.with_name("watched-parts"), gradient_accumulation_steps=4)
    train_editor(again)
    repeated = json.loads((again.output / "training.json").read_text())["validation_losses"]
    assert [loss for _, loss in repeated] == pytest.approx([loss for _, loss in points], rel=1e-4)


def test_validation_is_neither_mirrored_nor_drawn_apart_where_training_is(config: Training) -> None:
    apart = replace(config, horizontal_flip=True, augment_apart=True, validation_dataset=config.dataset)
    validated = loaded(apart).validated
    assert validated is not None and len(validated) == 8
    assert not (validated.config.horizontal_flip or validated.config.augment_apart)


def test_token_dropout_changes_what_is_trained_on(config: Training) -> None:
    plain = replace(config, num_steps=2, train_text_encoder=True)
    dropped = replace(plain, output=config.output.with_name("dropped"), token_dropout=0.9)
    train_editor(plain)
    train_editor(dropped)
    weights, others = unet_weights(plain), unet_weights(dropped)
    assert any(not torch.equal(weights[key], others[key]) for key in weights)
