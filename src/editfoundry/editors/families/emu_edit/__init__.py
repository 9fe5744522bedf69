"""Emu Edit: many tasks, one editor."""
