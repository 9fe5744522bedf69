from dataclasses import replace
from pathlib import Path

import torch

from editfoundry.training.batches import draw_step, epoch_indices
from editfoundry.training.config import TrainingConfig

CONFIG = TrainingConfig(editor="e", dataset=Path("d"), output=Path("o"), num_steps=9, batch_size=400, seed=3)
SHAPE = {"num_triplets": 50, "num_timesteps": 1000, "latent_shape": (4, 2, 2)}


def test_a_steps_draws_depend_on_seed_and_step_alone() -> None:
    first, again, next_step = (draw_step(CONFIG, step, **SHAPE) for step in (5, 5, 6))
    other_seed = draw_step(replace(CONFIG, seed=4), 5, **SHAPE)
    for name, value in vars(first).items():
        assert torch.equal(value, vars(again)[name])
    for other in (next_step, other_seed):
        assert not torch.equal(first.noise, other.noise) and not torch.equal(first.indices, other.indices)


def test_every_epoch_visits_every_triplet_once_in_an_order_of_its_own() -> None:
    drawn = torch.cat([epoch_indices(0, start, 4, 7) for start in range(0, 28, 4)]).view(4, 7)
    assert drawn.sort(dim=1).values.tolist() == [list(range(7))] * 4
    assert len({tuple(order) for order in drawn.tolist()}) > 1


def test_flips_are_off_unless_asked_for_and_then_hit_half_of_the_pairs() -> None:
    assert not draw_step(CONFIG, 0, **SHAPE).flips.any()
    share = draw_step(replace(CONFIG, horizontal_flip=True), 0, **SHAPE).flips.float().mean()
    assert 0.4 < float(share) < 0.6


def test_parts_of_a_step_are_slices_of_it() -> None:
    whole = draw_step(CONFIG, 0, **SHAPE)
    assert torch.equal(whole.part(slice(100, 200)).timesteps, whole.timesteps[100:200])
