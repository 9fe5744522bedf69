"""Fine-tunes instruction-based editors with Accelerate: one CPU or many GPUs, resumable, one configuration file."""
