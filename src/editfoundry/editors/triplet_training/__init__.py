"""What families that learn from edit triplets share: data and caches, draws and dropout, loss, LoRA, sample grids."""
