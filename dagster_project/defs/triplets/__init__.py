"""Edit triplets, one asset for each recipe."""
