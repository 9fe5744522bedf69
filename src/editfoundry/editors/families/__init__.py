"""Editor families: one folder for each way of editing an image."""
