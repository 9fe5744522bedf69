"""The lineage: its stages, their parameters, and how they follow each other."""
