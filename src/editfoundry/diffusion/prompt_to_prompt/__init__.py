"""Prompt-to-prompt (Hertz et al. 2022): two captions painted with shared cross-attention."""
