"""What an edit is measured by: one file a family of metrics."""
