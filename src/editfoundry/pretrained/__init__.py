"""Loads the model that a profile names for a role; one file per role."""
