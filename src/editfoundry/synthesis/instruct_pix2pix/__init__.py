"""The recipe instruct-pix2pix: pairs painted by prompt-to-prompt, filtered by CLIP (InstructPix2Pix, 3.1)."""
