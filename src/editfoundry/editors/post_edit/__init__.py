"""EditWorld's post-edit: change what the instruction is about, and leave every other pixel as it was."""
