"""Prompt-to-prompt on a real image, by DDIM inversion."""
