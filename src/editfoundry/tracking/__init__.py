"""Thin clients of the services that keep track of the work: DVC, MLflow, S3."""
