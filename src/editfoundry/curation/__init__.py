"""Keeps the good triplets: filters, duplicates, splits."""
