"""The bounds of every metric: doing nothing, and the right answer."""
