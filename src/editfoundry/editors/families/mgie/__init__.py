"""MGIE: a multimodal language model says what the edit will look like, and its states guide the diffusion."""
