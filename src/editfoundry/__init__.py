"""editfoundry: a foundry for instruction-based image editing."""
