"""Imagen Editor (Wang et al. 2023): a cascade of pixel-space diffusion models paints inside a mask by a prompt."""
