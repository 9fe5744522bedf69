"""Evaluation: what an editor's edits are worth, and the report that says so."""
