"""Trains the embedded models, which the package ships, from nothing but tinyworld."""
