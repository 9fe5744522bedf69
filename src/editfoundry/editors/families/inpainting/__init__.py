"""Text-guided inpainting: what a mask allows is painted by the prompt, all else stays as it is."""
