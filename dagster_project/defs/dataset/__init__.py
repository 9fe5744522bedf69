"""The curated data set."""
