"""Runs stages: what a stage is, who makes its shards, and everything that is the same for all of them."""
