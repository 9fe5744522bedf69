"""Prompt-to-prompt (Hertz et al. 2022) of real pictures: DDIM inversion, then attention shared by both captions."""
