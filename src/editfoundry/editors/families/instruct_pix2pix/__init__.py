"""InstructPix2Pix (Brooks et al. 2023): a UNet that also sees the input image."""
