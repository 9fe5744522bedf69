"""Noise of pictures by their seeds."""

from __future__ import annotations

import torch

from editfoundry.diffusion.seeded_noise import seeded_draws


def test_seeds_beyond_64_bits_are_wrapped_and_all_others_are_what_torch_makes_of_them() -> None:
    like, last = torch.zeros(1, 1, 4, 4), 2**64 - 1
    drawn = {seed: seeded_draws(like, [seed], 1)[0, 0] for seed in (0, 1, -1, last, 2**64, 2**64 + 1, -(2**64))}
    for seed in (0, 1, -1, last):
        assert torch.equal(drawn[seed], torch.randn(1, 4, 4, generator=torch.Generator().manual_seed(seed)))
    assert torch.equal(drawn[2**64], drawn[0]) and torch.equal(drawn[-(2**64)], drawn[0])
    assert torch.equal(drawn[2**64 + 1], drawn[1]) and not torch.equal(drawn[0], drawn[1])
