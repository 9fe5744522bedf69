"""Ratings by people: a sheet that asks them, blinded, and what their answers come to."""
