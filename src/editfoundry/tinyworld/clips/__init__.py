"""Videos of tinyworld: rules at work, filmed well and badly, with exact truth (EditWorld, video branch)."""
