"""Any pipeline of diffusers that takes an image and a prompt: FLUX Kontext, Qwen-Image-Edit, image-to-image."""
