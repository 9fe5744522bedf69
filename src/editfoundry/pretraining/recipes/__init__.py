"""One recipe for each embedded model: its classes, its data from tinyworld, its loss."""
