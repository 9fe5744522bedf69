import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from editfoundry.editors.families.instruct_pix2pix.training_config import InstructPix2PixTraining
from editfoundry.editors.triplet_training import pair_batches
from editfoundry.editors.triplet_training.draws import EpochOrder
from editfoundry.editors.triplet_training.pair_batches import Draws, PairBatch, latent_pairs, validation_draws
from editfoundry.training.loop import parts_of
from editfoundry.training.loop_config import MAX_SEED

CONFIG = InstructPix2PixTraining(editor="e", dataset=Path("d"), output=Path("o"), num_steps=9, batch_size=400, seed=3)
SHAPE = {"num_timesteps": 1000, "latent_shape": (4, 2, 2), "num_tokens": 5}


def draw_step(config: InstructPix2PixTraining, step: int, part: slice = slice(None), **shape: Any) -> Draws:
    order = EpochOrder(config.seed, shape.pop("num_triplets", 50))
    first = step * config.batch_size
    return pair_batches.draw_step(config, step, part, order=order, first=first, **{**SHAPE, **shape})


def test_a_steps_draws_depend_on_seed_and_step_alone() -> None:
    first, again, next_step = (draw_step(CONFIG, step) for step in (5, 5, 6))
    other_seed = draw_step(replace(CONFIG, seed=4), 5)
    for name, value in vars(first).items():
        assert torch.equal(value, vars(again)[name])
    for other in (next_step, other_seed):
        assert not torch.equal(first.noise, other.noise) and not torch.equal(first.indices, other.indices)


def test_a_steps_draws_are_torchs_by_the_seed_and_leave_its_global_numbers_alone() -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    draws = draw_step(replace(CONFIG, horizontal_flip=True), 5)
    assert torch.equal(torch.get_rng_state(), before)
    generator = torch.Generator().manual_seed(3 * 1_000_003 + 5)
    flips = (torch.rand(400, generator=generator) < 0.5).long()
    assert torch.equal(draws.flips, torch.stack([flips, flips], dim=1))
    assert torch.equal(draws.drop_text, torch.rand(400, generator=generator) < 2 * CONFIG.conditioning_dropout)
    assert torch.equal(draws.timesteps, torch.randint(1000, (400,), generator=generator))


def test_flips_are_off_unless_asked_for_and_then_hit_half_of_the_pairs() -> None:
    assert not draw_step(CONFIG, 0).flips.any()
    share = draw_step(replace(CONFIG, horizontal_flip=True), 0).flips.float().mean()
    assert 0.4 < float(share) < 0.6


def test_crops_are_centred_unless_asked_for_and_then_uniform_with_one_draw_a_pair() -> None:
    assert draw_step(CONFIG, 0).crops.flatten(0, 1).unique(dim=0).tolist() == [[1.0, 0.5, 0.5]]
    config = replace(CONFIG, cache_latents=False, random_crop=True, min_crop_share=0.5, batch_size=10_000)
    crops, output_crops = draw_step(config, 0).crops.unbind(1)
    assert torch.equal(crops, output_crops)
    scaled = (crops - torch.tensor([0.5, 0, 0])) / torch.tensor([0.5, 1, 1])
    four_sigma = 4 * math.sqrt(1 / 12 / len(crops))
    assert crops[:, 0].min() >= 0.5 and bool(((scaled.mean(0) - 0.5).abs() < four_sigma).all())
    assert bool((torch.corrcoef(scaled.T) - torch.eye(3)).abs().max() < 4 / math.sqrt(len(crops)))


def test_two_draws_a_pair_leave_all_other_numbers_as_they_are() -> None:
    one = replace(CONFIG, cache_latents=False, horizontal_flip=True, random_crop=True, batch_size=10_000)
    together, apart = (
        draw_step(replace(one, augment_apart=value), 0, latent_shape=(1, 1, 1)) for value in (False, True)
    )
    for name, value in vars(together).items():
        found = vars(apart)[name]
        changes = name in ("flips", "crops")
        assert torch.equal(value[:, 0], found[:, 0]) if changes else torch.equal(value, found)
    for drawn in (apart.flips.float(), apart.crops[:, :, 1]):
        assert abs(float(torch.corrcoef(drawn.T)[0, 1])) < 4 / math.sqrt(10_000)


def test_dropout_flips_and_timesteps_are_drawn_apart() -> None:
    draws = draw_step(replace(CONFIG, horizontal_flip=True, batch_size=40_000), 0, latent_shape=(1, 1, 1))
    columns = torch.stack([draws.flips[:, 0].float(), draws.drop_text.float(), draws.timesteps.float()])
    assert bool((torch.corrcoef(columns) - torch.eye(3)).abs().max() < 4 / math.sqrt(40_000))
    assert abs(draws.drop_text.float().mean() - 0.1) < 4 * math.sqrt(0.09 / 40_000)
    assert abs((draws.drop_text & draws.drop_image).float().mean() - 0.05) < 4 * math.sqrt(0.05 * 0.95 / 40_000)


def test_token_dropout_is_off_unless_asked_for_and_then_draws_each_token_apart() -> None:
    assert not draw_step(CONFIG, 0).drop_tokens.any()
    config = replace(CONFIG, token_dropout=0.2, train_text_encoder=True, batch_size=20_000)
    dropped = draw_step(config, 0, latent_shape=(1, 1, 1)).drop_tokens
    assert dropped.shape == (20_000, 5)
    assert bool(((dropped.float().mean(0) - 0.2).abs() < 4 * math.sqrt(0.16 / 20_000)).all())
    assert bool((torch.corrcoef(dropped.T.float()) - torch.eye(5)).abs().max() < 4 / math.sqrt(20_000))


def test_processes_share_every_epoch_without_losing_or_doubling_a_triplet() -> None:
    """Epochs of 12 triplets: the first by one process, the others by two, each with two parts a step."""
    config = replace(CONFIG, batch_size=4, gradient_accumulation_steps=2)
    seen: list[int] = []
    for step in range(9):
        for rank in range(count := 1 if step < 3 else 2):
            for part in parts_of(config, rank, count):
                seen += draw_step(config, step, part, num_triplets=12).indices.tolist()
    assert [sorted(seen[start : start + 12]) for start in (0, 12, 24)] == [list(range(12))] * 3


def test_a_process_draws_its_part_as_it_is_in_the_whole_batch() -> None:
    config = replace(CONFIG, horizontal_flip=True, cache_latents=False, random_crop=True)
    config = replace(config, train_text_encoder=True, token_dropout=0.5)
    for shape in ((4, 2, 2), (4, 3, 3)):
        whole = draw_step(config, 3, latent_shape=shape)
        for rows in (slice(0, 100), slice(100, 137), slice(399, 400)):
            part = draw_step(config, 3, rows, latent_shape=shape)
            for name, value in vars(whole).items():
                assert torch.equal(vars(part)[name], value[rows]), name


def test_outputs_are_scaled_inputs_are_not_and_a_dropped_input_is_zero() -> None:
    """InstructPix2Pix's UNet sees scaled latents of what it paints, and the input's as the autoencoder has them."""
    inputs, outputs = torch.ones(2, 4, 2, 2), torch.ones(2, 4, 2, 2)
    # Scaled by 0.5, the first place differs by 0.3 on average and the second by 0.2; a quarter is a change.
    outputs[:, :2, 0, 0], outputs[:, 2:, 0, 1] = 2.2, 0.2

    class Kept:
        def encode(self, pictures: tuple[torch.Tensor, ...], noise: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return inputs, outputs + noise

    nothing = torch.zeros(2)
    batch = PairBatch(
        pictures=(),
        texts=nothing,
        triplets=nothing,
        drop_text=torch.tensor([False, False]),
        drop_image=torch.tensor([False, True]),
        timesteps=nothing,
        posterior_noise=torch.zeros(2, 4, 2, 2),
        noise=torch.full((2, 4, 2, 2), 9.0),
    )
    pairs = latent_pairs(batch, Kept(), 0.5)  # type: ignore[arg-type]
    assert torch.equal(pairs.outputs, outputs * 0.5)
    assert torch.equal(pairs.inputs, torch.stack([inputs[0], torch.zeros(4, 2, 2)]))
    # A dropped input is still what the output changed from.
    assert pairs.changed.tolist() == [[[[True, False], [False, False]]]] * 2


def test_a_validation_takes_each_triplet_once_at_timesteps_evenly_spread_and_drops_nothing() -> None:
    config = replace(
        CONFIG, num_validation_samples=4, conditioning_dropout=1 / 3, horizontal_flip=True, train_text_encoder=True
    )
    config = replace(config, token_dropout=0.9, cache_latents=False, random_crop=True)
    draws = validation_draws(config, 50, 1000, (4, 2, 2), 5)
    assert draws.timesteps.tolist() == [125, 375, 625, 875]
    assert len(set(draws.indices.tolist())) == 4
    assert sorted(validation_draws(config, 3, 1000, (4, 2, 2), 5).indices.tolist()) == [0, 1, 2]
    assert not any(part.any() for part in (draws.flips, draws.drop_text, draws.drop_image, draws.drop_tokens))
    assert draws.crops.tolist() == [[[1.0, 0.5, 0.5]] * 2] * 4
    # Training's first step has the same seed and other noise.
    trained_on = draw_step(replace(config, batch_size=4), 0)
    assert not torch.equal(draws.noise, trained_on.noise) and draws.noise.shape == trained_on.noise.shape
    assert torch.equal(draws.part(slice(1, 3)).noise, draws.noise[1:3])


def test_the_largest_seed_validates_too() -> None:
    config = replace(CONFIG, seed=MAX_SEED)
    draws, others = (validation_draws(chosen, 8, 1000, (4, 2, 2), 5) for chosen in (config, CONFIG))
    assert not torch.equal(draws.noise, others.noise)
    assert not torch.equal(draws.noise, draw_step(replace(config, batch_size=8), 0).noise)


def test_a_batch_and_its_pictures_are_moved_in_one() -> None:
    halves = torch.zeros(2, dtype=torch.float16)
    batch = PairBatch((halves, halves), *[halves] * 7)
    moved = batch.on(torch.device("meta"))
    assert [part.device.type for part in (*moved.pictures, moved.texts, moved.noise)] == ["meta"] * 4
