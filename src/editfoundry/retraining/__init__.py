"""Keeps the editor up to date: new source data, a candidate, and the gate before the champion."""
