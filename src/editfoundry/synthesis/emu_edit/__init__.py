"""Emu Edit's way to make pairs: an instruction agent a task, masks before generation, filters (its section 4)."""
