"""Pairs of what the base editor can already, so that fine-tuning on others does not unlearn it."""
