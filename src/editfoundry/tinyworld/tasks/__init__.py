"""Emu Edit's tasks in tinyworld: every one with its exact outcome."""
