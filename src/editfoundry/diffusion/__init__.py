"""Sampling with diffusion models, batched and seeded; knows no recipe and no editor."""
