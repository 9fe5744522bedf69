"""What the option ``task`` of an Emu Edit editor can be beside a task, so that no learnt task may have such a name."""

from __future__ import annotations

GIVEN, PREDICTED, NONE = "given", "predicted", "none"
CHOICES = (GIVEN, PREDICTED, NONE)
"""See `EmuEditOptions`."""
FOLDER = "task_embeddings"
"""The table of tasks in a checkpoint, and the file in it; plain diffusers passes over it."""
RESERVED = (*CHOICES, FOLDER)
"""Names that no task may have."""
