"""tinyworld: a small, seeded, procedural world with exact ground truth."""
