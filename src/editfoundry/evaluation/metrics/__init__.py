"""What an edit is measured by: one file for each metric, or for a few that share a computation."""
