"""Fine-tuned editors."""
