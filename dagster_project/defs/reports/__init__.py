"""What the editors are worth."""
