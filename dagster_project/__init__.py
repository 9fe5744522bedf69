"""Dagster's view of the lineage: assets that each call one function of editfoundry."""
