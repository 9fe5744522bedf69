"""From frame pairs to triplets: what happens in a clip, in words (EditWorld, video branch, section 3.2)."""
