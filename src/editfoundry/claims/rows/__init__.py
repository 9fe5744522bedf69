"""One file a family of claims."""
